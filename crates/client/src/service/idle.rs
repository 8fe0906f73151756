//! Which workers have nothing to do, and what waits for them: for a test that waits until there is nothing left to do.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::worker::Jobs;

/// The idle workers of a service.
#[derive(Default)]
pub(super) struct Idle {
    jobs: OnceLock<Jobs>,
    /// Those that take whatever comes.
    all: AtomicUsize,
    /// Those that take requests only.
    for_requests: AtomicUsize,
}

impl Idle {
    /// These are the jobs that the workers take.
    pub(super) fn watch(&self, jobs: &Jobs) {
        // A service starts once.
        let _ = self.jobs.set(jobs.clone());
    }

    /// A worker is there, or has nothing to do any more. A new one counts before its thread runs: it will come.
    pub(super) fn free(&self, jobs: &Jobs) {
        self.of(jobs).fetch_add(1, Ordering::AcqRel);
    }

    /// It has something to do.
    pub(super) fn busy(&self, jobs: &Jobs) {
        self.of(jobs).fetch_sub(1, Ordering::AcqRel);
    }

    fn of(&self, jobs: &Jobs) -> &AtomicUsize {
        if jobs.takes_events { &self.all } else { &self.for_requests }
    }

    /// How much waits for a worker, and whether one is free for it.
    pub(super) fn look(&self) -> (usize, bool) {
        let Some(jobs) = self.jobs.get() else { return (0, false) };
        let (requests, events) = (jobs.requests.len(), jobs.events.len());
        let (all, for_requests) = (self.all.load(Ordering::Acquire), self.for_requests.load(Ordering::Acquire));
        (requests + events, events > 0 && all > 0 || requests > 0 && all + for_requests > 0)
    }
}
