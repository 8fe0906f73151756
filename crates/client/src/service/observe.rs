//! How far a service is with its messages, for a test that waits until there is nothing left to do. Nothing
//! outside of `testing` asks.

use std::sync::{Arc, Weak};
use std::time::Instant;

use super::shared::Shared;

/// A service that a test looks at. It keeps none alive.
#[derive(Clone)]
pub(crate) struct Observed(Weak<Shared>);

/// A queue that a service consumes, and what of it is where.
pub(crate) struct LaneSight {
    pub(crate) queue: String,
    pub(crate) prefetch: usize,
    pub(crate) is_consuming: bool,
    pub(crate) under_way: usize,
    /// Those of them that came on the connection that there is now.
    pub(crate) current: usize,
    pub(crate) held: usize,
    pub(crate) next_due: Option<Instant>,
}

/// A service at one moment.
pub(crate) struct Sight {
    pub(crate) service: String,
    pub(crate) lanes: Vec<LaneSight>,
    pub(crate) parked: usize,
    /// What is under way and waits for a worker.
    pub(crate) queued: usize,
    /// Whether a worker is free for some of that.
    pub(crate) is_about_to_work: bool,
    pub(crate) is_stopping: bool,
}

impl Observed {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::downgrade(shared))
    }

    /// Its name, where it runs and handles messages of this type.
    pub(crate) fn handles(&self, event_type: &str) -> Option<String> {
        let shared = self.0.upgrade()?;
        (!shared.is_stopping() && shared.routes.know(event_type)).then(|| shared.service.clone())
    }

    /// What it handles, notifications included.
    pub(crate) fn event_types(&self) -> Vec<String> {
        self.0.upgrade().map(|shared| shared.routes.event_types()).unwrap_or_default()
    }

    /// How it is now; `None` where it is gone.
    pub(crate) fn look(&self) -> Option<Sight> {
        let shared = self.0.upgrade()?;
        let lanes = shared.lanes.iter().map(|lane| {
            // In this order: what moves on in between is counted twice rather than not at all.
            let (under_way, current) = (lane.under_way(), lane.currently_under_way());
            let (held, next_due) = lane.held_until();
            LaneSight {
                queue: lane.queue.clone(),
                prefetch: lane.prefetch.into(),
                is_consuming: lane.is_consuming(),
                under_way,
                current,
                held,
                next_due,
            }
        });
        let (lanes, parked) = (lanes.collect(), shared.seen.parked());
        let (queued, is_about_to_work) = shared.idle.look();
        let (service, is_stopping) = (shared.service.clone(), shared.is_stopping());
        Some(Sight { service, lanes, parked, queued, is_about_to_work, is_stopping })
    }
}
