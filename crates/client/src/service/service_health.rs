//! The state of a service, for probes, logs and tests.

use std::time::Instant;

/// The state of a service. Reading it sends nothing and does not block.
///
/// ```
/// # use zc_events::{Context, EventClient, Service, Settings, Value};
/// # let settings = Settings::builder().broker_url("memory://").staging_name("test").service_name("mails").build()?;
/// # let client = EventClient::new(settings)?;
/// let service = Service::builder(&client).on("order_created", |_: &Context, _: Value| Ok(())).start()?;
/// // A readiness probe checks this.
/// while !service.health().is_ready() {}
/// # Ok::<(), zc_events::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServiceHealth {
    /// Whether the service is connected and consumes all its queues.
    pub consuming: bool,
    /// Whether the service is stopping.
    pub stopping: bool,
    /// When the last message arrived.
    pub last_delivery: Option<Instant>,
    /// The text of the last failure of a connection.
    pub last_error: Option<String>,
    /// The time of that failure.
    pub last_error_at: Option<Instant>,
    /// The number of messages that workers are handling.
    pub under_way: usize,
    /// The number of handlers that have not returned within `EVENTS_HANDLER_TIMEOUT`. Their messages are already
    /// dead-lettered, and other threads have taken over.
    pub stuck: usize,
    /// The number of messages that cannot move to a retry, quarantine or dead-letter queue, because the broker does not
    /// accept them there. Each still counts towards the prefetch limit.
    pub blocked_moves: usize,
    /// The number of handled events and answered requests.
    pub processed: u64,
    /// The number of messages for other services.
    pub ignored: u64,
    /// The number of failed handlers.
    pub failed: u64,
    /// The number of messages that were put off for another attempt.
    pub retried: u64,
    /// The number of duplicates: they had been completed before, and were not handled again.
    pub duplicates: u64,
    /// The number of requests that came too late, or waited too long for a worker: their callers no longer wait.
    pub expired: u64,
    /// The number of answers that could not be pushed to the reply store.
    pub unanswered: u64,
    /// The number of messages that were redelivered after a worker died. They are handled in isolation, one at a time.
    pub quarantined: u64,
    /// The number of dead-lettered messages.
    pub dead_lettered: u64,
}

impl ServiceHealth {
    /// Whether the service consumes, is not stopping, and has no stuck handler.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.consuming && !self.stopping && self.stuck == 0
    }
}
