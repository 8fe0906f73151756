//! What the threads of a service share: routes, counts, lanes, the memory of what was seen.
//! No thread starts here and no message is handled here.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use zc_events_protocol::{Clock, Deadline};
use zc_events_transport::Topology;

use super::health::{ServiceHealth, Tally};
use super::idle::Idle;
use super::lane::Lane;
use super::retry::Retry;
use super::roll::Roll;
use super::routes::Routes;
use super::seen::Seen;
use crate::observe::Observers;
use crate::{Error, EventClient};

/// What the threads of a service share.
pub(super) struct Shared {
    pub(super) client: EventClient,
    pub(super) service: String,
    /// What this process calls itself among those of the service.
    pub(super) owner: String,
    pub(super) topology: Topology,
    pub(super) routes: Routes,
    /// For handlers without a policy of their own.
    pub(super) retry: Retry,
    /// That of events first.
    pub(super) lanes: Vec<Arc<Lane>>,
    pub(super) seen: Seen,
    pub(super) roll: Roll,
    pub(super) idle: Idle,
    pub(super) workers: usize,
    /// How many messages wait here because the queue that they are to move to does not take them.
    pub(super) held_up: Arc<AtomicUsize>,
    counts: [AtomicU64; Tally::COUNT],
    state: Mutex<State>,
    stopping: AtomicBool,
    /// Held by the lane that takes back its messages from the workers' queues.
    taking_back: Mutex<()>,
}

#[derive(Default)]
struct State {
    last_delivery: Option<Instant>,
    last_error: Option<(Instant, String)>,
    drain_by: Option<Deadline>,
    declared: HashSet<String>,
}

/// What a service is made of.
pub(super) struct Parts {
    pub(super) client: EventClient,
    pub(super) service: String,
    pub(super) topology: Topology,
    pub(super) routes: Routes,
    pub(super) retry: Retry,
    pub(super) lanes: Vec<Arc<Lane>>,
    pub(super) workers: usize,
}

impl Shared {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            seen: Seen::new(parts.client.settings().dedup_ttl),
            client: parts.client,
            service: parts.service,
            owner: uuid::Uuid::new_v4().simple().to_string(),
            topology: parts.topology,
            routes: parts.routes,
            retry: parts.retry,
            lanes: parts.lanes,
            roll: Roll::default(),
            idle: Idle::default(),
            workers: parts.workers,
            held_up: Arc::default(),
            counts: Default::default(),
            state: Mutex::default(),
            stopping: AtomicBool::new(false),
            taking_back: Mutex::default(),
        }
    }

    pub(super) fn observers(&self) -> &Observers {
        &self.client.inner().observers
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        self.client.inner().clock()
    }

    pub(super) fn stop(&self, timeout: Duration) {
        let deadline = self.clock().deadline(timeout);
        self.state().drain_by.get_or_insert(deadline);
        self.stopping.store(true, Ordering::Release);
        for lane in &self.lanes {
            lane.wake();
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(super) fn drain_deadline(&self) -> Deadline {
        let drain_by = self.state().drain_by;
        drain_by.unwrap_or_else(|| self.clock().deadline(self.client.settings().shutdown_timeout))
    }

    pub(super) fn count(&self, tally: Tally) {
        self.counts[tally as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_delivery(&self) {
        let now = self.clock().now();
        self.state().last_delivery = Some(now);
    }

    pub(super) fn note_error(&self, lane: &Lane, error: &Error) {
        log::warn!("queue `{}` is not consumed, trying again: {error}", lane.queue);
        let now = self.clock().now();
        self.state().last_error = Some((now, error.to_string()));
    }

    /// Whether a delay queue is known to be there.
    pub(super) fn has_declared(&self, queue: &str) -> bool {
        self.state().declared.contains(queue)
    }

    pub(super) fn note_declared(&self, queue: &str) {
        self.state().declared.insert(queue.to_owned());
    }

    pub(super) fn health(&self) -> ServiceHealth {
        let state = self.state();
        let read = |tally: Tally| self.counts[tally as usize].load(Ordering::Relaxed);
        ServiceHealth {
            consuming: self.lanes.iter().all(|lane| lane.is_consuming()),
            stopping: self.is_stopping(),
            last_delivery: state.last_delivery,
            last_error: state.last_error.as_ref().map(|(_, text)| text.clone()),
            last_error_at: state.last_error.as_ref().map(|(at, _)| *at),
            under_way: self.lanes.iter().map(|lane| lane.under_way()).sum(),
            stuck: self.roll.stuck(),
            held_up: self.held_up.load(Ordering::Acquire),
            processed: read(Tally::Processed),
            ignored: read(Tally::Ignored),
            failed: read(Tally::Failed),
            retried: read(Tally::Retried),
            duplicates: read(Tally::Duplicate),
            expired: read(Tally::Expired),
            unanswered: read(Tally::Unanswered),
            quarantined: read(Tally::Quarantined),
            dead_lettered: read(Tally::DeadLettered),
        }
    }

    pub(super) fn taking_back(&self) -> MutexGuard<'_, ()> {
        self.taking_back.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
