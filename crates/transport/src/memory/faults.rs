//! Faults that a test injects into a broker in memory, and the state that they need. What a broker does
//! while one is in force is said where it does it, in `mod` and `state`.

use std::collections::VecDeque;

use zc_events_protocol::Outcome;

use super::MemoryBroker;
use super::state::{Moment, State};
use crate::Error;

/// What becomes of a message that is about to be sent; see [`MemoryBroker::fail_sends`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendFault {
    /// The connection is gone before the message is out: [`Error::Unavailable`], not sent.
    Unavailable,
    /// The message is routed, and the connection is lost before its confirm: [`Error::Unavailable`], unknown.
    ConfirmLost,
    /// The message is lost together with the connection: [`Error::Unavailable`], unknown. To the sender it looks as
    /// [`SendFault::ConfirmLost`] does.
    MessageLost,
    /// The message is routed, and one of the queues refuses it: [`Error::Nacked`], unknown.
    Nacked,
    /// No queue takes the message: [`Error::Unroutable`], not sent.
    Unroutable,
}

/// What is out of order.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Why the broker cannot be reached.
    pub(super) down: Option<String>,
    /// For the next messages, one each.
    pub(super) sends: VecDeque<SendFault>,
    /// Whether one of them has come to pass since they were asked for.
    a_send_failed: bool,
    /// Which acknowledgements get lost.
    lost_acks: Vec<LostAcks>,
}

/// So many acknowledgements of messages of one of these queues whose bodies have these bytes in them.
#[derive(Debug)]
struct LostAcks {
    queues: Vec<String>,
    containing: Vec<u8>,
    left: usize,
    has_happened: bool,
}

impl LostAcks {
    fn is_for(&self, queue: &str, body: &[u8]) -> bool {
        let is_in = |part: &[u8]| part.is_empty() || body.windows(part.len()).any(|bytes| bytes == part);
        self.left > 0 && self.queues.iter().any(|own| own == queue) && is_in(&self.containing)
    }
}

impl Faults {
    /// # Errors
    /// [`Error::Unavailable`] while it is down.
    pub(super) fn reachable(&self) -> Result<(), Error> {
        match &self.down {
            Some(why) => Err(unavailable(why.clone(), Outcome::NotSent)),
            None => Ok(()),
        }
    }
}

pub(super) fn unavailable(what: String, outcome: Outcome) -> Error {
    Error::Unavailable { what, outcome, source: None }
}

/// Faults for tests. They hold for all handles of the broker, and end with [`MemoryBroker::mend`].
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
/// assert_eq!(broker.queue_len("orders-events"), Some(1)); // it has gone out all the same
/// broker.send(&message, soon)?.wait(soon)?;
/// # Ok::<(), zc_events_transport::Error>(())
/// ```
impl MemoryBroker {
    /// The next `count` messages end so, those of retries and dead letters included; what was asked for before comes first.
    pub fn fail_sends(&self, fault: SendFault, count: usize) {
        self.0.server.with(|state, _| {
            state.faults.a_send_failed &= !state.faults.sends.is_empty();
            state.faults.sends.extend(std::iter::repeat_n(fault, count));
        });
    }

    /// The next `count` acknowledgements of messages of any of `queues` that have the bytes of `containing` in their bodies
    /// get lost, and the broker delivers those messages again, with the redelivered flag: a handled message comes twice.
    /// Without any bytes it is whatever is acknowledged next.
    pub fn lose_acks(&self, queues: &[&str], containing: &[u8], count: usize) {
        let (queues, containing) = (queues.iter().map(|&queue| queue.to_owned()).collect(), containing.to_owned());
        let lost = LostAcks { queues, containing, left: count, has_happened: false };
        self.0.server.with(|state, _| state.faults.lost_acks.push(lost));
    }

    /// The faults of sends and acknowledgements that were asked for and did not happen even once, in words; they are
    /// forgotten. A test that relies on one which does not come has shown nothing.
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
                .then(|| format!("none of {} sends that were to fail took place", sends.len()));
            lost.chain(unused).collect()
        })
    }

    /// Takes no messages from now on, as RabbitMQ under a memory or disk alarm: whoever sends waits, and gets
    /// [`Error::Blocked`] with this reason at his deadline. `None` ends that. Consuming goes on.
    pub fn block(&self, reason: Option<&str>) {
        let server = &self.0.server;
        match reason {
            Some(reason) => server.gate.shut(reason.to_owned(), server.clock.now()),
            None => server.gate.open(),
        }
    }

    /// Takes the broker away: all subscriptions end as [`Error::Unavailable`] and what they had no verdict on goes back,
    /// all calls fail so, and what does not survive a restart is gone: messages that are not persistent, queues that
    /// are not durable or exclusive. `None` brings it back.
    pub fn take_down(&self, why: Option<&str>) {
        self.0.server.with(|state, moment| state.take_down(why, moment));
    }

    /// [`MemoryBroker::take_down`], and back at once: a restart.
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

impl State {
    fn take_down(&mut self, why: Option<&str>, moment: Moment) {
        self.faults.down = why.map(str::to_owned);
        if why.is_some() {
            self.lose_connections(moment);
        }
    }

    /// The fault for one more message; one is used up.
    pub(super) fn next_send_fault(&mut self) -> Option<SendFault> {
        let fault = self.faults.sends.pop_front();
        self.faults.a_send_failed |= fault.is_some();
        fault
    }

    /// Whether this acknowledgement gets lost; one is used up.
    pub(super) fn loses_ack(&mut self, queue: &str, body: &[u8]) -> bool {
        let lost = self.faults.lost_acks.iter_mut().find(|lost| lost.is_for(queue, body));
        let happens = |lost: &mut LostAcks| {
            lost.left -= 1;
            lost.has_happened = true;
        };
        lost.map(happens).is_some()
    }
}
