//! Faults that a test brings on: the broker and the store fail as real ones do, when the test says so.

#![allow(clippy::panic, reason = "a test fails by panicking, and this is called by tests")]

use serde_json::Value;
use zc_events_protocol::{Event, names};
use zc_events_transport::memory::SendFault;

use crate::fleet::Fleet;
use zc_events::{ServiceMonitor, ServiceSnapshot};

/// Faults. They hold until they are taken back.
///
/// ```
/// use zc_events_testing::{Fleet, SendFault};
/// use zc_events::{Error, Event, Outcome};
///
/// let fleet = Fleet::new();
/// let client = fleet.client("shop");
/// fleet.fail_sends(SendFault::ConfirmLost, 1);
/// let error = client.emit(&Event::new("order_created")).unwrap_err();
/// assert_eq!(error.outcome(), Outcome::Unknown);
/// assert_eq!(fleet.emitted("order_created").len(), 1); // it has gone out all the same
///
/// fleet.block_broker(Some("low on memory"));
/// let error = client.emit(&Event::new("order_created")).unwrap_err();
/// assert!(matches!(error, Error::Blocked { .. })); // after EVENTS_PUBLISH_TIMEOUT of the test's time
/// ```
impl Fleet {
    /// The next messages that are sent, by whomever and whatever they are, end so. Where none is sent at all, that is a
    /// [complaint](Fleet::complaints).
    pub fn fail_sends(&self, fault: SendFault, count: usize) {
        self.world.broker.fail_sends(fault, count);
    }

    /// A service gets this event, or notification, once more, with the redelivered flag: its next acknowledgement gets
    /// lost, which is that of the first attempt. To be said before the event is emitted. One that never comes is a
    /// [complaint](Fleet::complaints).
    pub fn deliver_again(&self, service: &str, event: &Event) {
        // It stands in the body so in both protocols; other messages name its id as that of their parent.
        self.lose_ack(service, &format!("\"task_id\":{}", Value::from(event.effective_task_id())));
    }

    /// [`Fleet::deliver_again`], for the next message of a type, whatever it is: a request (`order_request`), a call (its
    /// key), an event that a handler emits.
    ///
    /// ```
    /// # use std::sync::atomic::{AtomicU32, Ordering};
    /// use zc_events_testing::Fleet;
    /// use zc_events::{Context, Service};
    ///
    /// static RUNS: AtomicU32 = AtomicU32::new(0);
    ///
    /// let fleet = Fleet::new();
    /// let service = Service::builder(&fleet.client("sums"))
    ///     .call("square", |_: &Context, x: i64| {
    ///         RUNS.fetch_add(1, Ordering::SeqCst);
    ///         Ok(x * x)
    ///     })
    ///     .start()?;
    /// fleet.deliver_next_again("sums", "square");
    /// assert_eq!(fleet.client("shop").get("square").data(3)?.fetch::<i64>()?, 9);
    /// fleet.settle();
    /// assert_eq!(RUNS.load(Ordering::SeqCst), 1); // its answer was remembered
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    pub fn deliver_next_again(&self, service: &str, event_type: &str) {
        self.lose_ack(service, &Value::from(event_type).to_string());
    }

    fn lose_ack(&self, service: &str, containing: &str) {
        let queues = [names::events_queue(service), names::notifications_queue(service)];
        self.world.broker.lose_acks(&[&queues[0], &queues[1]], containing.as_bytes(), 1);
    }

    /// The broker takes no messages, as under a memory alarm: whoever sends waits until his deadline. `None` ends that.
    pub fn block_broker(&self, reason: Option<&str>) {
        self.world.broker.block(reason);
    }

    /// Takes the broker away: connections are lost, what was not acknowledged comes again, messages that are not
    /// persistent (requests) are gone, and all calls fail. `None` brings it back, and waits until all services consume
    /// again, for which time passes.
    ///
    /// # Panics
    /// Where a service does not come back, as for [`Fleet::until`].
    #[track_caller]
    pub fn take_broker_down(&self, why: Option<&str>) {
        self.world.broker.take_down(why);
        if why.is_none() {
            self.wait_for_consumers();
        }
    }

    /// [`Fleet::take_broker_down`], and back.
    ///
    /// # Panics
    /// As for [`Fleet::take_broker_down`].
    #[track_caller]
    pub fn restart_broker(&self) {
        self.world.broker.restart();
        self.wait_for_consumers();
    }

    /// Takes the reply store away: whoever waits for an answer fails at once, and so do all calls. `None` brings it
    /// back; nothing in it is lost.
    pub fn take_store_down(&self, why: Option<&str>) {
        self.world.store.fail_with(why);
    }

    #[track_caller]
    fn wait_for_consumers(&self) {
        let is_there = |queue: &str| self.world.broker.consumers(queue) > 0;
        let consumes =
            |sight: ServiceSnapshot| sight.queues.iter().all(|lane| lane.is_consuming && is_there(&lane.queue));
        let is_back =
            |service: &ServiceMonitor| service.snapshot().is_none_or(|sight| sight.is_stopping || consumes(sight));
        self.until(|| self.world.services().iter().all(is_back));
    }
}
