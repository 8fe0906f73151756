//! The handlers that run, and since when: who must be looked after while they do. What is
//! done about one that does not return is in `keeper`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::work::Work;

/// A handler that runs.
pub(super) struct Running {
    pub(super) work: Work,
    begun: Instant,
    stuck: AtomicBool,
    replaced: AtomicBool,
}

impl Running {
    /// It counts as stuck; `replaced` when another thread does its worker's work.
    pub(super) fn give_up(&self, replaced: bool) {
        self.replaced.store(replaced, Ordering::Release);
        self.stuck.store(true, Ordering::Release);
    }

    /// Whether its worker is to end when it returns.
    pub(super) fn is_replaced(&self) -> bool {
        self.replaced.load(Ordering::Acquire)
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
        let running =
            Arc::new(Running { work, begun, stuck: AtomicBool::new(false), replaced: AtomicBool::new(false) });
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, Arc::clone(&running));
        (number, running)
    }

    pub(super) fn strike(&self, number: u64) {
        self.lock().remove(&number);
    }

    /// Those that have run for longer than `limit` and do not count as stuck yet.
    pub(super) fn overdue(&self, now: Instant, limit: Duration) -> Vec<Arc<Running>> {
        let is_overdue = |running: &&Arc<Running>| {
            !running.stuck.load(Ordering::Acquire) && now.saturating_duration_since(running.begun) > limit
        };
        self.lock().values().filter(is_overdue).cloned().collect()
    }

    /// All that run and are not stuck.
    pub(super) fn alive(&self) -> Vec<Arc<Running>> {
        self.lock().values().filter(|running| !running.stuck.load(Ordering::Acquire)).cloned().collect()
    }

    pub(super) fn stuck(&self) -> usize {
        self.lock().values().filter(|running| running.stuck.load(Ordering::Acquire)).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
