//! How far a service is with its messages, for code that watches it: a test kit that waits until nothing is left to do, a
//! page that shows what runs.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::engine::EngineState;

/// A view of a running service, given to [`Observer::service_started`](crate::Observer::service_started). It does not keep
/// the service alive.
#[derive(Clone)]
pub struct ServiceMonitor(Weak<EngineState>);

/// A queue that a service consumes, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumedQueueSnapshot {
    /// Its name.
    pub queue: String,
    /// How many of its messages the service holds at the most.
    pub prefetch: usize,
    /// Whether it is consumed.
    pub is_consuming: bool,
    /// How many of its messages are with the workers: handled, or waiting for a worker.
    pub taken: usize,
    /// Those of them that came on the present connection.
    pub current: usize,
    /// How many wait in memory for their time.
    pub scheduled: usize,
    /// When the first of those is due.
    pub next_due: Option<Instant>,
}

/// A service at one moment. What moves on while it is taken is counted twice rather than not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceSnapshot {
    /// The service's name.
    pub service: String,
    /// The queues that it consumes.
    pub queues: Vec<ConsumedQueueSnapshot>,
    /// How many messages wait for the end of another copy of theirs.
    pub parked: usize,
    /// How many messages wait for a worker.
    pub waiting: usize,
    /// Whether a worker is free for one of those.
    pub is_about_to_work: bool,
    /// Whether it was told to stop.
    pub is_stopping: bool,
}

impl ServiceMonitor {
    pub(super) fn new(state: &Arc<EngineState>) -> Self {
        Self(Arc::downgrade(state))
    }

    /// The service's name; `None` where the service is gone.
    #[must_use]
    pub fn service(&self) -> Option<String> {
        Some(self.0.upgrade()?.service.clone())
    }

    /// Whether it runs and handles messages of this type.
    #[must_use]
    pub fn handles(&self, event_type: &str) -> bool {
        self.0.upgrade().is_some_and(|state| !state.is_stopping() && state.routes.know(event_type))
    }

    /// The types that it handles: of events, notifications and requests, and the keys of calls.
    #[must_use]
    pub fn event_types(&self) -> Vec<String> {
        self.0.upgrade().map(|state| state.routes.event_types()).unwrap_or_default()
    }

    /// How it is at this moment; `None` where the service is gone.
    #[must_use]
    pub fn snapshot(&self) -> Option<ServiceSnapshot> {
        let state = self.0.upgrade()?;
        let queues = state.queues.iter().map(|queue| {
            // In this order: what moves on in between is counted twice rather than not at all.
            let (taken, current) = (queue.taken(), queue.currently_taken());
            let (scheduled, next_due) = state.scheduled(queue);
            ConsumedQueueSnapshot {
                queue: queue.name.clone(),
                prefetch: queue.prefetch.into(),
                is_consuming: queue.is_consuming(),
                taken,
                current,
                scheduled,
                next_due,
            }
        });
        let (queues, parked, waiting) = (queues.collect(), state.parked(), state.waiting());
        Some(ServiceSnapshot {
            service: state.service.clone(),
            queues,
            parked,
            waiting: waiting.count,
            is_about_to_work: waiting.is_about_to_be_taken,
            is_stopping: state.is_stopping(),
        })
    }
}

impl fmt::Debug for ServiceMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServiceMonitor").field(&self.service()).finish()
    }
}
