//! What waits in memory for its time.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use zc_events_protocol::Deadline;

/// Items by their time: the earliest first, and of one time the first that came.
pub(super) struct Schedule<T>(Mutex<Scheduled<T>>);

struct Scheduled<T> {
    items: BTreeMap<(Instant, u64), T>,
    next: u64,
}

impl<T> Default for Schedule<T> {
    fn default() -> Self {
        Self(Mutex::new(Scheduled { items: BTreeMap::new(), next: 0 }))
    }
}

impl<T> Schedule<T> {
    /// Keeps an item until its time.
    pub(super) fn add(&self, until: Deadline, item: T) {
        let mut scheduled = self.lock();
        scheduled.next += 1;
        let number = scheduled.next;
        scheduled.items.insert((until.instant(), number), item);
    }

    /// Takes out what is due by now, and says when the next is.
    pub(super) fn take_due(&self, now: Instant) -> (Vec<T>, Option<Instant>) {
        let mut scheduled = self.lock();
        if scheduled.items.is_empty() {
            return (Vec::new(), None);
        }
        let later = scheduled.items.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut scheduled.items, later);
        (due.into_values().collect(), scheduled.items.keys().next().map(|(when, _)| *when))
    }

    /// Takes out all items of that kind.
    pub(super) fn take_all(&self, is_it: impl Fn(&T) -> bool) -> Vec<T> {
        let mut scheduled = self.lock();
        let items = std::mem::take(&mut scheduled.items);
        let (taken, rest): (Vec<_>, Vec<_>) = items.into_iter().partition(|(_, item)| is_it(item));
        scheduled.items = rest.into_iter().collect();
        taken.into_iter().map(|(_, item)| item).collect()
    }

    /// How many of that kind wait, and when the first of them is due.
    pub(super) fn count(&self, is_it: impl Fn(&T) -> bool) -> (usize, Option<Instant>) {
        let scheduled = self.lock();
        let mut due = scheduled.items.iter().filter(|(_, item)| is_it(item)).map(|((when, _), _)| *when).peekable();
        let first = due.peek().copied();
        (due.count(), first)
    }

    fn lock(&self) -> MutexGuard<'_, Scheduled<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn items_come_out_when_they_are_due_in_the_order_of_their_time() {
        let (schedule, start) = (Schedule::default(), Instant::now());
        let after = |seconds| Deadline::at(start + Duration::from_secs(seconds));
        for (seconds, name) in [(2, "c"), (1, "a"), (1, "b")] {
            schedule.add(after(seconds), name);
        }
        assert_eq!(schedule.take_due(start), (vec![], Some(after(1).instant())));
        assert_eq!(schedule.count(|name| *name != "a"), (2, Some(after(1).instant())));
        assert_eq!(schedule.take_due(after(1).instant()), (vec!["a", "b"], Some(after(2).instant())));
        assert_eq!(schedule.take_all(|name| *name == "c"), ["c"]);
        assert_eq!(schedule.take_due(after(9).instant()), (vec![], None));
    }
}
