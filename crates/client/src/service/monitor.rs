//! A view of a running service, for code that watches it: a test kit that waits until the service is idle, or a status
//! page.

use std::fmt;
use std::sync::Weak;
use std::time::Instant;

/// A view of a running service. [`Observer::service_started`](crate::Observer::service_started) gets one. It does not keep
/// the service alive.
#[derive(Clone)]
pub struct ServiceMonitor(Weak<dyn MonitoredService>);

/// A service that a [`ServiceMonitor`] shows.
pub(super) trait MonitoredService: Send + Sync {
    /// The service's name.
    fn name(&self) -> &str;

    /// Whether it runs and handles messages of this type.
    fn handles(&self, event_type: &str) -> bool;

    /// All types that it handles.
    fn event_types(&self) -> Vec<String>;

    /// The state of the service at this moment.
    fn snapshot(&self) -> ServiceSnapshot;
}

/// A queue that a service consumes, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumedQueueSnapshot {
    /// Its name.
    pub queue: String,
    /// The prefetch limit: the service holds at most so many of its messages.
    pub prefetch: usize,
    /// Whether the service consumes it now.
    pub is_consuming: bool,
    /// The number of its messages that are being handled or wait for a worker.
    pub taken: usize,
    /// Those of them that came on the current connection.
    pub current: usize,
    /// The number of its messages that wait in memory until they are due.
    pub scheduled: usize,
    /// When the first of those is due.
    pub next_due: Option<Instant>,
}

/// The state of a service at one moment. A message that moves on meanwhile may be counted twice, but is never left out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceSnapshot {
    /// The service's name.
    pub service: String,
    /// The queues that it consumes.
    pub queues: Vec<ConsumedQueueSnapshot>,
    /// The number of messages that wait until another copy of the same message is handled.
    pub parked: usize,
    /// The number of messages that wait for a worker.
    pub waiting: usize,
    /// Whether a worker is free and about to take one of them.
    pub is_about_to_work: bool,
    /// Whether the service is stopping.
    pub is_stopping: bool,
}

impl ServiceMonitor {
    pub(super) fn new(service: Weak<dyn MonitoredService>) -> Self {
        Self(service)
    }

    /// The service's name; `None` if the service is gone.
    #[must_use]
    pub fn service(&self) -> Option<String> {
        Some(self.0.upgrade()?.name().to_owned())
    }

    /// Whether it runs and handles messages of this type.
    #[must_use]
    pub fn handles(&self, event_type: &str) -> bool {
        self.0.upgrade().is_some_and(|service| service.handles(event_type))
    }

    /// The types that it handles: of events, notifications and requests, and the keys of calls.
    #[must_use]
    pub fn event_types(&self) -> Vec<String> {
        self.0.upgrade().map(|service| service.event_types()).unwrap_or_default()
    }

    /// The state of the service at this moment; `None` if the service is gone.
    #[must_use]
    pub fn snapshot(&self) -> Option<ServiceSnapshot> {
        Some(self.0.upgrade()?.snapshot())
    }
}

impl fmt::Debug for ServiceMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServiceMonitor").field(&self.service()).finish()
    }
}
