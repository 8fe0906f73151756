//! Who waits for which keys, and who has waited longest: for the store in memory and for the waiting calls that share a
//! connection to Redis. Knows no store.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::{Error, Result};

/// A value with the key it was pushed under.
pub(crate) type Found = (String, Vec<u8>);

/// The calls that wait, each under a number.
#[derive(Default)]
pub(crate) struct Waiters {
    /// Numbers count up: the call with the smallest has waited longest.
    by_number: BTreeMap<u64, Waiter>,
    by_key: HashMap<String, BTreeSet<u64>>,
    next: u64,
}

struct Waiter {
    keys: Vec<String>,
    result: Sender<Result<Found>>,
}

impl Waiters {
    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }

    /// Adds a call, last in line. Returns its number, and the receiver of its value or error.
    pub(crate) fn register(&mut self, keys: &[&str]) -> (u64, Receiver<Result<Found>>) {
        let number = self.next;
        self.next += 1;
        let (result, receiver) = bounded(1);
        let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        for key in &keys {
            self.by_key.entry(key.clone()).or_default().insert(number);
        }
        self.by_number.insert(number, Waiter { keys, result });
        (number, receiver)
    }

    /// Removes a call that waits no longer. Returns whether it was there.
    pub(crate) fn remove(&mut self, number: u64) -> bool {
        self.take(number).is_some()
    }

    fn take(&mut self, number: u64) -> Option<Waiter> {
        let waiter = self.by_number.remove(&number)?;
        for key in &waiter.keys {
            if let Some(numbers) = self.by_key.get_mut(key) {
                numbers.remove(&number);
                if numbers.is_empty() {
                    self.by_key.remove(key);
                }
            }
        }
        Some(waiter)
    }

    /// Delivers `value` to the call that has waited longest for `key`. Returns the value if no call waits for it.
    pub(crate) fn deliver(&mut self, key: &str, value: Vec<u8>) -> Option<Vec<u8>> {
        let mut found = Ok((key.to_owned(), value));
        while let Some(&oldest) = self.by_key.get(key).and_then(BTreeSet::first) {
            let waiter = self.take(oldest)?;
            match waiter.result.try_send(found) {
                Ok(()) => return None,
                // The thread of this call has ended, by a panic.
                Err(unsent) => found = unsent.into_inner(),
            }
        }
        found.ok().map(|(_, value)| value)
    }

    /// Ends the wait of all calls for one of `keys` with an error. The cause goes to the call that has waited longest.
    pub(crate) fn fail<'a>(&mut self, keys: impl IntoIterator<Item = &'a str>, error: Error) {
        let numbers = keys.into_iter().filter_map(|key| self.by_key.get(key)).flatten().copied().collect();
        self.end(numbers, error);
    }

    /// Ends the wait of all calls with an error.
    pub(crate) fn fail_all(&mut self, error: Error) {
        self.end(self.by_number.keys().copied().collect(), error);
    }

    fn end(&mut self, numbers: BTreeSet<u64>, mut error: Error) {
        for waiter in numbers.into_iter().filter_map(|number| self.take(number)).collect::<Vec<_>>() {
            let next = error.repeated();
            let _ = waiter.result.try_send(Err(std::mem::replace(&mut error, next)));
        }
    }

    /// Each key that a call waits for, once. The keys of the call that has waited longest come first, in the call's order.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut seen = HashSet::with_capacity(self.by_key.len());
        let keys = self.by_number.values().flat_map(|waiter| &waiter.keys);
        keys.filter(|key| seen.insert(key.as_str())).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_that_has_waited_longest_is_served_first() {
        let mut waiters = Waiters::default();
        let (_, first) = waiters.register(&["b", "a", "b"]);
        let (left, _) = waiters.register(&["a"]);
        let (_, second) = waiters.register(&["c", "a"]);
        assert_eq!(waiters.keys(), ["b", "a", "c"]);
        assert!(waiters.remove(left) && !waiters.remove(left));
        assert_eq!(waiters.deliver("a", vec![1]), None);
        assert_eq!(waiters.deliver("a", vec![2]), None);
        assert_eq!(waiters.deliver("a", vec![3]), Some(vec![3]));
        assert_eq!(first.try_recv().unwrap().unwrap(), ("a".to_owned(), vec![1]));
        assert_eq!(second.try_recv().unwrap().unwrap(), ("a".to_owned(), vec![2]));
        assert!(waiters.len() == 0 && waiters.keys().is_empty() && waiters.by_key.is_empty());
    }

    #[test]
    fn an_error_ends_the_wait_for_its_keys_and_its_cause_is_told_once() {
        let mut waiters = Waiters::default();
        let (_, first) = waiters.register(&["a", "b"]);
        let (_, second) = waiters.register(&["a"]);
        let (_, other) = waiters.register(&["b"]);
        waiters.fail(["a"], Error::Unavailable { what: "gone".to_owned(), source: Some("the cause".into()) });
        for (call, has_source) in [(first, true), (second, false)] {
            let error = call.try_recv().unwrap().unwrap_err();
            assert_eq!(error.to_string(), "gone");
            assert_eq!(std::error::Error::source(&error).is_some(), has_source);
        }
        assert!(other.try_recv().is_err());
        assert_eq!(waiters.len(), 1);
        waiters.fail_all(Error::Config { why: "no".to_owned() });
        assert!(other.try_recv().unwrap().is_err());
        assert!(waiters.len() == 0 && waiters.by_key.is_empty());
    }

    #[test]
    fn a_call_whose_thread_has_ended_is_passed_over() {
        let mut waiters = Waiters::default();
        drop(waiters.register(&["a"]).1);
        let (_, second) = waiters.register(&["a"]);
        assert_eq!(waiters.deliver("a", vec![1]), None);
        assert_eq!(second.try_recv().unwrap().unwrap().1, [1]);
    }
}
