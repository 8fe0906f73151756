//! Spreads the calls that wait for answers over the shared waiters, of which there are as many as the pool may have
//! connections. So up to that number each call has a connection of its own, and beyond it any number of calls may wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zc_events_protocol::Deadline;

use super::health_tracker::HealthTracker;
use super::pool::RedisPool;
use super::shared_waiter::SharedWaiter;
use crate::Result;
use crate::waiters::Found;

pub(super) struct SharedWaiters {
    waiters: Vec<SharedWaiter>,
    /// How many calls each of the waiters has.
    calls: Mutex<Vec<usize>>,
}

/// A call counts for its waiter until this is dropped.
struct Assignment<'a> {
    waiters: &'a SharedWaiters,
    index: usize,
}

impl SharedWaiters {
    /// A shared waiter for each of the `size` connections of `pool`.
    pub(super) fn new(pool: RedisPool, size: u32, health: &Arc<HealthTracker>) -> Self {
        let pool = Arc::new(pool);
        let waiters: Vec<_> = (0..size).map(|_| SharedWaiter::new(Arc::clone(&pool), Arc::clone(health))).collect();
        Self { calls: Mutex::new(vec![0; waiters.len()]), waiters }
    }

    /// Waits for a value under one of `keys`, until the `deadline` and not longer. `wake` pushes to the key that it gets,
    /// by the deadline that it gets.
    pub(super) fn wait(
        &self,
        keys: &[&str],
        deadline: Deadline,
        wake: impl FnOnce(&str, Deadline) -> Result<()>,
    ) -> Result<Option<Found>> {
        let assignment = self.assign();
        self.waiters[assignment.index].wait(keys, deadline, wake)
    }

    /// The first of the waiters with the fewest calls. One whose last call has left while its BLPOP goes on comes after one
    /// that is idle: a server that has stalled on one connection keeps no call from the others.
    fn assign(&self) -> Assignment<'_> {
        let mut calls = self.lock();
        let loads = calls.iter().zip(&self.waiters).map(|(&calls, waiter)| (calls, waiter.is_awaiting()));
        let (index, _) = loads.enumerate().min_by_key(|(_, load)| *load).unwrap_or_default();
        calls[index] += 1;
        Assignment { waiters: self, index }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<usize>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Assignment<'_> {
    fn drop(&mut self) {
        self.waiters.lock()[self.index] -= 1;
    }
}
