//! Lets in a fixed number at a time, in the order in which they came. r2d2 lends to
//! whoever asks at the right moment, so that one who gives back and asks again can keep
//! others out for good; this is the queue in front of it. Knows nothing of connections.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Sender, bounded};
use zc_events_protocol::clock::receive;
use zc_events_protocol::{Clock, Deadline};

pub(super) struct Gate(Mutex<Queue>);

struct Queue {
    free: u32,
    next: u64,
    waiting: VecDeque<(u64, Sender<()>)>,
}

/// A place inside; leaving it lets the next one in.
pub(super) struct Place(Arc<Gate>);

impl Gate {
    pub(super) fn new(places: u32) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Queue { free: places, next: 0, waiting: VecDeque::new() })))
    }

    /// A place by the `deadline`. One that is free at once is given even after it.
    pub(super) fn enter(self: &Arc<Self>, clock: &dyn Clock, deadline: Deadline) -> Option<Place> {
        let (number, called) = {
            let mut queue = self.lock();
            if queue.free > 0 {
                queue.free -= 1;
                return Some(Place(Arc::clone(self)));
            }
            let number = queue.next;
            queue.next += 1;
            let (call, called) = bounded(1);
            queue.waiting.push_back((number, call));
            (number, called)
        };
        if receive(clock, &called, deadline).is_err() {
            let mut queue = self.lock();
            let before = queue.waiting.len();
            queue.waiting.retain(|(other, _)| *other != number);
            if queue.waiting.len() < before {
                return None;
            }
            // Called between the alarm and this lock: the place is ours.
        }
        let place = Place(Arc::clone(self));
        // Called too late, it goes to the next: nobody works for one who is late already.
        (!deadline.has_passed(clock)).then_some(place)
    }

    /// A place, if one is free.
    pub(super) fn try_enter(self: &Arc<Self>) -> Option<Place> {
        let mut queue = self.lock();
        queue.free = queue.free.checked_sub(1)?;
        Some(Place(Arc::clone(self)))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        while let Some((_, call)) = queue.waiting.pop_front() {
            if call.try_send(()).is_ok() {
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
    fn those_who_wait_come_in_in_order_and_nobody_overtakes() {
        let gate = Gate::new(1);
        let inside = gate.enter(&SystemClock, SystemClock.deadline(LONG)).unwrap();
        let (done, order) = crossbeam_channel::unbounded();
        thread::scope(|scope| {
            for number in 0..4_usize {
                let (gate, done) = (&gate, done.clone());
                scope.spawn(move || {
                    let place = gate.enter(&SystemClock, SystemClock.deadline(LONG)).unwrap();
                    done.send(number).unwrap();
                    drop(place);
                });
                while gate.lock().waiting.len() <= number {
                    thread::yield_now();
                }
            }
            assert!(gate.try_enter().is_none());
            drop(inside);
            // Asking right after giving back is the end of the queue.
            let _last = gate.enter(&SystemClock, SystemClock.deadline(LONG)).unwrap();
            assert_eq!(order.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
        });
        assert_eq!(gate.lock().free, 1);
    }

    #[test]
    fn one_who_gives_up_leaves_the_queue() {
        let clock = ManualClock::new();
        let gate = Gate::new(1);
        let inside = gate.enter(&clock, clock.deadline(LONG)).unwrap();
        assert!(gate.enter(&clock, clock.deadline(Duration::ZERO)).is_none());
        assert!(gate.lock().waiting.is_empty());
        drop(inside);
        assert!(gate.enter(&clock, clock.deadline(Duration::ZERO)).is_some());
    }
}
