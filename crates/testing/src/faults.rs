//! Faults that a test injects into the broker and the reply store of a fleet.

use serde_json::Value;
use zc_events::{Event, ServiceMonitor, ServiceSnapshot};
use zc_events_protocol::names;
use zc_events_transport::memory::SendFault;

use crate::fleet::Fleet;

/// Fault injection. A fault lasts until the test ends it.
///
/// ```
/// use zc_events::{Error, Event, Outcome};
/// use zc_events_testing::{Fleet, SendFault};
///
/// let fleet = Fleet::new();
/// let client = fleet.client("shop");
/// fleet.fail_sends(SendFault::ConfirmLost, 1);
/// let error = client.emit(&Event::new("order_created")).unwrap_err();
/// assert_eq!(error.outcome(), Outcome::Unknown);
/// assert_eq!(fleet.emitted("order_created").len(), 1); // the message was sent, and its confirm was lost
///
/// fleet.block_broker(Some("low on memory"));
/// let error = client.emit(&Event::new("order_created")).unwrap_err();
/// assert!(matches!(error, Error::Blocked { .. })); // after EVENTS_PUBLISH_TIMEOUT of the test's time
/// ```
impl Fleet {
    /// Fails the next `count` messages of any sender. If no message is sent at all, the fleet
    /// [complains](Fleet::complaints) when it is dropped.
    pub fn fail_sends(&self, fault: SendFault, count: usize) {
        self.harness.broker.fail_sends(fault, count);
    }

    /// Delivers this event or notification a second time to a service, with the redelivered flag: the broker loses the
    /// acknowledgement of the first delivery. Call it before the event is emitted. If the event is never acknowledged, the
    /// fleet [complains](Fleet::complaints) when it is dropped.
    pub fn deliver_again(&self, service: &str, event: &Event) {
        // Both protocols write the id like this in the body. Other messages contain it as the id of their parent.
        self.lose_ack(service, &format!("\"task_id\":{}", Value::from(event.effective_task_id())));
    }

    /// [`Fleet::deliver_again`] for the next message of a type: a request (`order_request`), a call (its key), an event
    /// that a handler emits.
    ///
    /// ```
    /// # use std::sync::atomic::{AtomicU32, Ordering};
    /// use zc_events::{Context, Service};
    /// use zc_events_testing::Fleet;
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
    /// assert_eq!(RUNS.load(Ordering::SeqCst), 1); // the service remembered the reply
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    pub fn deliver_next_again(&self, service: &str, event_type: &str) {
        self.lose_ack(service, &Value::from(event_type).to_string());
    }

    fn lose_ack(&self, service: &str, containing: &str) {
        let queues = [names::events_queue(service), names::notifications_queue(service)];
        self.harness.broker.lose_acks(&[&queues[0], &queues[1]], containing.as_bytes(), 1);
    }

    /// Makes the broker accept no messages, like RabbitMQ in a memory alarm: a call that sends waits until its deadline.
    /// `None` ends the fault.
    pub fn block_broker(&self, reason: Option<&str>) {
        self.harness.broker.block(reason);
    }

    /// Stops the broker: connections are lost, unacknowledged messages return to their queues, messages that are not
    /// persistent (requests) are lost, and all calls fail. `None` starts the broker, and waits until all services consume
    /// again, for which the clock moves.
    ///
    /// # Panics
    /// If a service does not consume again, as for [`Fleet::until`].
    #[track_caller]
    pub fn take_broker_down(&self, why: Option<&str>) {
        self.harness.broker.take_down(why);
        if why.is_none() {
            self.wait_for_consumers();
        }
    }

    /// Stops the broker and starts it, like [`Fleet::take_broker_down`].
    ///
    /// # Panics
    /// As for [`Fleet::take_broker_down`].
    #[track_caller]
    pub fn restart_broker(&self) {
        self.harness.broker.restart();
        self.wait_for_consumers();
    }

    /// Stops the reply store: each call fails at once, including those that wait for a reply. `None` starts the store. No
    /// reply in it is lost.
    pub fn take_store_down(&self, why: Option<&str>) {
        self.harness.store.fail_with(why);
    }

    #[track_caller]
    fn wait_for_consumers(&self) {
        let is_consumed = |queue: &str| self.harness.broker.consumers(queue) > 0;
        let consumes_all = |service: ServiceSnapshot| {
            service.is_stopping || service.queues.iter().all(|it| it.is_consuming && is_consumed(&it.queue))
        };
        let has_returned = |service: &ServiceMonitor| service.snapshot().is_none_or(consumes_all);
        self.until(|| self.harness.services().iter().all(has_returned));
    }
}
