//! The handlers that run, and since when. `supervisor` acts on one that does not return.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::processing::Processing;

/// A handler that runs.
pub(super) struct RunningHandler {
    pub(super) processing: Processing,
    begun: Instant,
    /// Once it counts as stuck: whether another thread does its worker's work.
    stuck: Mutex<Option<bool>>,
}

/// What has become of a handler's message by the time when it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Returned {
    InTime,
    /// It was given up.
    TooLate {
        /// Whether another thread does its worker's work.
        replaced: bool,
    },
}

impl RunningHandler {
    fn stuck(&self) -> MutexGuard<'_, Option<bool>> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All handlers that run.
#[derive(Default)]
pub(super) struct RunningHandlers {
    running: Mutex<HashMap<u64, Arc<RunningHandler>>>,
    next: AtomicU64,
}

impl RunningHandlers {
    /// A handler begins.
    pub(super) fn begin(&self, processing: Processing, begun: Instant) -> u64 {
        let running = Arc::new(RunningHandler { processing, begun, stuck: Mutex::new(None) });
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, running);
        number
    }

    /// It has returned.
    pub(super) fn finish(&self, number: u64) -> Returned {
        let running = self.lock().remove(&number);
        let stuck = running.and_then(|running| *running.stuck());
        stuck.map_or(Returned::InTime, |replaced| Returned::TooLate { replaced })
    }

    /// The handlers that have run for longer than `limit`, and whether the worker of each is to be replaced, which the caller
    /// does. From now on they count as stuck.
    pub(super) fn take_overdue(
        &self,
        now: Instant,
        limit: Duration,
        most_replaced: usize,
    ) -> Vec<(Arc<RunningHandler>, bool)> {
        let running = self.lock();
        let mut stuck = running.values().filter(|running| running.stuck().is_some()).count();
        let mut overdue = Vec::new();
        for running in running.values() {
            let mut is_stuck = running.stuck();
            if is_stuck.is_none() && now.saturating_duration_since(running.begun) > limit {
                let replaced = stuck < most_replaced;
                *is_stuck = Some(replaced);
                stuck += 1;
                drop(is_stuck);
                overdue.push((Arc::clone(running), replaced));
            }
        }
        overdue
    }

    /// All that run and are not stuck.
    pub(super) fn alive(&self) -> Vec<Arc<RunningHandler>> {
        self.lock().values().filter(|running| running.stuck().is_none()).cloned().collect()
    }

    pub(super) fn stuck(&self) -> usize {
        self.lock().values().filter(|running| running.stuck().is_some()).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<RunningHandler>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
