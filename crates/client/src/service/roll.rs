//! The handlers that run, and since when: who must be looked after while they do. What is
//! done about one that does not return is in `keeper`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::work::Work;

/// A handler that runs.
pub(super) struct Running {
    pub(super) work: Work,
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
        /// Another thread does its worker's work.
        replaced: bool,
    },
}

impl Running {
    fn stuck(&self) -> MutexGuard<'_, Option<bool>> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All that run.
#[derive(Default)]
pub(super) struct Roll {
    running: Mutex<HashMap<u64, Arc<Running>>>,
    next: AtomicU64,
}

impl Roll {
    /// Enters one.
    pub(super) fn enter(&self, work: Work, begun: Instant) -> (u64, Arc<Running>) {
        let running = Arc::new(Running { work, begun, stuck: Mutex::new(None) });
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, Arc::clone(&running));
        (number, running)
    }

    /// It has returned.
    pub(super) fn strike(&self, number: u64) -> Returned {
        let running = self.lock().remove(&number);
        let stuck = running.and_then(|running| *running.stuck());
        stuck.map_or(Returned::InTime, |replaced| Returned::TooLate { replaced })
    }

    /// Gives up those that have run for longer than `limit`. From now on they count as stuck; as many as there may be are
    /// to be replaced, which the caller does.
    pub(super) fn give_up(&self, now: Instant, limit: Duration, most_replaced: usize) -> Vec<(Arc<Running>, bool)> {
        let running = self.lock();
        let mut stuck = running.values().filter(|running| running.stuck().is_some()).count();
        let mut given_up = Vec::new();
        for running in running.values() {
            let mut is_stuck = running.stuck();
            if is_stuck.is_none() && now.saturating_duration_since(running.begun) > limit {
                let replaced = stuck < most_replaced;
                *is_stuck = Some(replaced);
                stuck += 1;
                drop(is_stuck);
                given_up.push((Arc::clone(running), replaced));
            }
        }
        given_up
    }

    /// All that run and are not stuck.
    pub(super) fn alive(&self) -> Vec<Arc<Running>> {
        self.lock().values().filter(|running| running.stuck().is_none()).cloned().collect()
    }

    pub(super) fn stuck(&self) -> usize {
        self.lock().values().filter(|running| running.stuck().is_some()).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
