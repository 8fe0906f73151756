//! How a service is, for probes, logs and tests.

use std::time::Instant;

/// The state of a service. Reading it sends nothing and does not block.
///
/// ```
/// # use zc_events::{Context, EventClient, Service, Settings, Value};
/// # let settings = Settings::builder().broker_url("memory://").staging_name("test").service_name("mails").build()?;
/// # let client = EventClient::new(settings)?;
/// let service = Service::builder(&client).on("order_created", |_: &Context, _: Value| Ok(())).start()?;
/// // What a readiness probe asks.
/// while !service.health().is_ready() {}
/// # Ok::<(), zc_events::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServiceHealth {
    /// Whether it is connected and consuming all its queues.
    pub consuming: bool,
    /// Whether it was told to stop.
    pub stopping: bool,
    /// When the last message came.
    pub last_delivery: Option<Instant>,
    /// What the last failure of a connection said.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<Instant>,
    /// How many messages are with workers.
    pub under_way: usize,
    /// How many handlers have not returned within `EVENTS_HANDLER_TIMEOUT`, now. Their messages are
    /// dead letters already, and other threads do their work.
    pub stuck: usize,
    /// How many messages wait here because the queue that they are to move to, for another
    /// attempt or among the dead letters, does not take them. They keep their prefetched places.
    pub blocked_moves: usize,
    /// How many events were handled and requests answered.
    pub processed: u64,
    /// How many were for others.
    pub ignored: u64,
    /// How often a handler failed.
    pub failed: u64,
    /// How many were put off for another attempt.
    pub retried: u64,
    /// How many had been completed before, and were not handled again.
    pub duplicates: u64,
    /// How many requests came too late, or waited too long for a worker: their callers no longer wait.
    pub expired: u64,
    /// How many answers could not be pushed to the reply store.
    pub unanswered: u64,
    /// How many were delivered before to a worker that has vanished, and are handled one by one.
    pub quarantined: u64,
    /// How many went to the dead letters.
    pub dead_lettered: u64,
}

impl ServiceHealth {
    /// Whether it does its work: it consumes, was not told to stop, and no handler is stuck.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.consuming && !self.stopping && self.stuck == 0
    }
}
