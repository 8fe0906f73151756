//! Grants a fixed number of permits, first come, first served. r2d2 has no queue: a caller that returns a connection and
//! asks again can keep others waiting for ever. This semaphore stands in front of it. Knows no connections.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Sender, bounded};
use zc_events_protocol::clock::receive;
use zc_events_protocol::{Clock, Deadline};

pub(super) struct FairSemaphore(Mutex<PermitQueue>);

struct PermitQueue {
    free: u32,
    next: u64,
    waiting: VecDeque<(u64, Sender<()>)>,
}

/// A permit. Dropping it grants the permit to the next caller in the queue.
pub(super) struct Permit(Arc<FairSemaphore>);

impl FairSemaphore {
    pub(super) fn new(permits: u32) -> Arc<Self> {
        Arc::new(Self(Mutex::new(PermitQueue { free: permits, next: 0, waiting: VecDeque::new() })))
    }

    /// A permit by the `deadline`. A permit that is free at once is granted even after the deadline.
    pub(super) fn acquire(self: &Arc<Self>, clock: &dyn Clock, deadline: Deadline) -> Option<Permit> {
        let (number, granted) = {
            let mut queue = self.lock();
            if queue.free > 0 {
                queue.free -= 1;
                return Some(Permit(Arc::clone(self)));
            }
            let number = queue.next;
            queue.next += 1;
            let (grant, granted) = bounded(1);
            queue.waiting.push_back((number, grant));
            (number, granted)
        };
        if receive(clock, &granted, deadline).is_err() {
            let mut queue = self.lock();
            let before = queue.waiting.len();
            queue.waiting.retain(|(other, _)| *other != number);
            if queue.waiting.len() < before {
                return None;
            }
            // The permit was granted between the deadline and this lock.
        }
        let permit = Permit(Arc::clone(self));
        // A permit that is granted after the deadline goes on to the next caller.
        (!deadline.has_passed(clock)).then_some(permit)
    }

    fn lock(&self) -> MutexGuard<'_, PermitQueue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        while let Some((_, grant)) = queue.waiting.pop_front() {
            if grant.try_send(()).is_ok() {
                return;
            }
        }
        queue.free += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use std::time::Duration;
    use zc_events_protocol::{ManualClock, SystemClock};

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn callers_get_permits_in_the_order_in_which_they_asked() {
        let semaphore = FairSemaphore::new(1);
        let held = semaphore.acquire(&SystemClock, SystemClock.deadline(LONG)).unwrap();
        let (done, order) = crossbeam_channel::unbounded();
        thread::scope(|scope| {
            for number in 0..4_usize {
                let (semaphore, done) = (&semaphore, done.clone());
                scope.spawn(move || {
                    let permit = semaphore.acquire(&SystemClock, SystemClock.deadline(LONG)).unwrap();
                    done.send(number).unwrap();
                    drop(permit);
                });
                while semaphore.lock().waiting.len() <= number {
                    thread::yield_now();
                }
            }
            drop(held);
            // A caller that asks again right after returning its permit is last in the queue.
            let _last = semaphore.acquire(&SystemClock, SystemClock.deadline(LONG)).unwrap();
            assert_eq!(order.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
        });
        assert_eq!(semaphore.lock().free, 1);
    }

    #[test]
    fn a_caller_whose_deadline_passes_leaves_the_queue() {
        let clock = ManualClock::new();
        let semaphore = FairSemaphore::new(1);
        let held = semaphore.acquire(&clock, clock.deadline(LONG)).unwrap();
        assert!(semaphore.acquire(&clock, clock.deadline(Duration::ZERO)).is_none());
        assert!(semaphore.lock().waiting.is_empty());
        drop(held);
        assert!(semaphore.acquire(&clock, clock.deadline(Duration::ZERO)).is_some());
    }
}
