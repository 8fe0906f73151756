//! Injects faults into a broker in memory, for tests.

use super::faults::{Faults, LostAcks, SendFault};
use super::memory_broker::MemoryBroker;

/// Faults for tests. They apply to all handles of the broker, and end with [`MemoryBroker::mend`].
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use zc_events_protocol::{Clock, Outcome, Properties, SystemClock};
/// use zc_events_transport::memory::{MemoryBroker, SendFault};
/// use zc_events_transport::{Broker, Outgoing, Queue, Topology};
///
/// let broker = MemoryBroker::new(Arc::new(SystemClock));
/// let soon = SystemClock.deadline(Duration::from_secs(5));
/// broker.declare(&Topology::new().queue(Queue::durable("orders-events")), soon)?;
/// let properties = Properties::default();
/// let message =
///     Outgoing { exchange: "", routing_key: "orders-events", mandatory: true, properties: &properties, body: b"{}" };
///
/// broker.fail_sends(SendFault::ConfirmLost, 1);
/// let error = broker.send(&message, soon)?.wait(soon).unwrap_err();
/// assert_eq!(error.outcome(), Outcome::Unknown);
/// assert_eq!(broker.queue_len("orders-events"), Some(1)); // it was routed nevertheless
/// broker.send(&message, soon)?.wait(soon)?;
/// # Ok::<(), zc_events_transport::Error>(())
/// ```
impl MemoryBroker {
    /// The next `count` messages that are sent end with this fault, including retries and dead letters that a service
    /// sends. Faults that were requested before come first.
    pub fn fail_sends(&self, fault: SendFault, count: usize) {
        self.0.server.with(|state, _| {
            state.faults.a_send_failed &= !state.faults.sends.is_empty();
            state.faults.sends.extend(std::iter::repeat_n(fault, count));
        });
    }

    /// Loses the next `count` acknowledgements of messages of these queues whose bodies contain these bytes. The broker
    /// delivers such a message again, with the redelivered flag, so a handled message comes twice. Without any bytes,
    /// the next acknowledgements are lost.
    pub fn lose_acks(&self, queues: &[&str], containing: &[u8], count: usize) {
        let (queues, containing) = (queues.iter().map(|&queue| queue.to_owned()).collect(), containing.to_owned());
        let lost = LostAcks { queues, containing, left: count, has_happened: false };
        self.0.server.with(|state, _| state.faults.lost_acks.push(lost));
    }

    /// Describes and removes the faults of sends and acknowledgements that were requested and never happened. A test
    /// that relies on such a fault has shown nothing.
    #[must_use]
    pub fn take_unused_faults(&self) -> Vec<String> {
        self.0.server.with(|state, _| {
            let faults = &mut state.faults;
            let lost = std::mem::take(&mut faults.lost_acks).into_iter().filter(|lost| !lost.has_happened);
            let lost = lost.map(|lost| {
                let what = String::from_utf8_lossy(&lost.containing);
                format!("no message with `{what}` was acknowledged in {}", lost.queues.join(", "))
            });
            let sends = std::mem::take(&mut faults.sends);
            let unused = (!sends.is_empty() && !faults.a_send_failed)
                .then(|| format!("{} sends should have failed, but no message was sent", sends.len()));
            lost.chain(unused).collect()
        })
    }

    /// Accepts no messages from now on, like RabbitMQ in a memory or disk alarm. A call that sends waits, and returns
    /// [`Error::Blocked`](crate::Error::Blocked) with this reason at its deadline. Consuming continues. `None` ends the
    /// alarm.
    pub fn block(&self, reason: Option<&str>) {
        let server = &self.0.server;
        match reason {
            Some(reason) => server.flow_control.block(reason.to_owned(), server.clock.now()),
            None => server.flow_control.unblock(),
        }
    }

    /// Makes the broker unreachable. All subscriptions end with [`Error::Unavailable`](crate::Error::Unavailable),
    /// their unacknowledged messages are requeued, and all calls fail with the same error. Messages that are not
    /// persistent and queues that are not durable or are exclusive are lost, as in a restart. `None` makes it reachable
    /// again.
    pub fn take_down(&self, why: Option<&str>) {
        self.0.server.with(|state, moment| state.take_down(why, moment));
    }

    /// Restarts the broker: [`MemoryBroker::take_down`], and back at once.
    pub fn restart(&self) {
        self.0.server.with(|state, moment| {
            state.take_down(Some("the broker was restarted"), moment);
            state.take_down(None, moment);
        });
    }

    /// Ends all faults.
    pub fn mend(&self) {
        self.block(None);
        self.0.server.with(|state, _| state.faults = Faults::default());
    }
}
