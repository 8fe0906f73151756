//! Observers: clients and services report to them what they do, when they do it.
//!
//! Metrics, the health counters of a service and the test kit are observers, and a program can bring its own.
//! `moments` holds what an observer is told, `observers` the list that is told, `tracked` messages until their end is told.

mod moments;
mod observers;
mod tracked;

pub use moments::{
    ConnectionSeen, ConsumingChanged, Delivered, EmitEnded, HandlerEnded, HandlerEnding, MessageSent, Replied,
    ReplyEnding, RequestEnded, Settled, Settlement, Wait, WaitFor,
};
pub(crate) use observers::Observers;
pub(crate) use tracked::{TrackedEmit, TrackedRequest};

use crate::ServiceMonitor;

/// Is told what clients and services do. Each method has an empty default, so that an observer implements only what it
/// wants to know.
///
/// The methods are called on the thread that does the work, between its steps: they must not block and must not panic.
/// Install one with [`EventClient::builder`](crate::EventClient::builder); the services made from that client report to
/// it as well. Several may be installed; they are told in the order of their installation.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use zc_events::{EmitEnded, Event, EventClient, Observer, Settings};
///
/// #[derive(Default)]
/// struct Failures(AtomicUsize);
///
/// impl Observer for Failures {
///     fn emit_ended(&self, emit: &EmitEnded<'_>) {
///         if emit.result.is_err() {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let settings = Settings::builder().broker_url("memory://").staging_name("test").build()?;
/// let failures = Arc::new(Failures::default());
/// let client = EventClient::builder(settings).observer(failures.clone()).build()?;
/// let _ = client.emit(&Event::new("order_created")); // no service is bound
/// assert_eq!(failures.0.load(Ordering::Relaxed), 1);
/// # Ok::<(), zc_events::Error>(())
/// ```
pub trait Observer: Send + Sync {
    /// An event or a notification was handed to the broker.
    fn emit_sent(&self, _sent: &MessageSent<'_>) {}

    /// An event or a notification was confirmed, or failed, or its confirm is awaited by no caller any more.
    fn emit_ended(&self, _emit: &EmitEnded<'_>) {}

    /// A request or a call was handed to the broker.
    fn request_sent(&self, _sent: &MessageSent<'_>) {}

    /// A request or a call was answered, or failed, or its answer is awaited by no caller any more.
    fn request_ended(&self, _request: &RequestEnded<'_>) {}

    /// [`EventClient::health`](crate::EventClient::health) looked at the connection for publishing.
    fn connection_seen(&self, _connection: &ConnectionSeen) {}

    /// A thread begins to wait. The same [`Wait`] is told to [`Observer::wait_ended`].
    fn wait_started(&self, _wait: &Wait<'_>) {}

    /// The wait is over.
    fn wait_ended(&self, _wait: &Wait<'_>) {}

    /// A service has started. The monitor stays valid; it does not keep the service alive.
    fn service_started(&self, _service: &ServiceMonitor) {}

    /// A service is about to stop. It begins when this returns.
    fn service_stopping(&self, _service: &str) {}

    /// A queue is consumed, or is not consumed any more.
    fn consuming_changed(&self, _queue: &ConsumingChanged<'_>) {}

    /// A message has arrived.
    fn delivered(&self, _delivery: &Delivered<'_>) {}

    /// A message is in the hands of the workers: one of them handles it or will handle it.
    fn message_taken(&self) {}

    /// A message has left the hands of the workers.
    fn message_released(&self) {}

    /// The calling thread begins to work on the message of this number, which is unique in the process.
    fn work_started(&self, _message: u64) {}

    /// The calling thread has stopped working on that message.
    fn work_ended(&self, _message: u64) {}

    /// A handler, a function or a view has returned.
    fn handler_ended(&self, _handler: &HandlerEnded<'_>) {}

    /// An answer was pushed to its caller, or could not be.
    fn replied(&self, _reply: &Replied<'_>) {}

    /// A message was settled: it is acknowledged, or it goes back to its queue.
    fn settled(&self, _message: &Settled<'_>) {}
}
