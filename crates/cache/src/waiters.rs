//! Who waits for which keys, and who has waited longest: shared by the store in memory and
//! by the waiting calls that share a connection to Redis. Knows no store.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::{Error, Result};

/// A value with the key it was pushed under.
pub(crate) type Found = (String, Vec<u8>);

/// The calls that wait, each under a number.
#[derive(Default)]
pub(crate) struct Waiters {
    /// Numbers count up: the smallest has waited longest.
    by_number: BTreeMap<u64, Waiter>,
    by_key: HashMap<String, BTreeSet<u64>>,
    next: u64,
}

struct Waiter {
    keys: Vec<String>,
    hand: Sender<Result<Found>>,
}

impl Waiters {
    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }

    /// A new one, last in line: his number, and where a value, or an error, will be handed to him.
    pub(crate) fn enlist(&mut self, keys: &[&str]) -> (u64, Receiver<Result<Found>>) {
        let number = self.next;
        self.next += 1;
        let (hand, receiver) = bounded(1);
        let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        for key in &keys {
            self.by_key.entry(key.clone()).or_default().insert(number);
        }
        self.by_number.insert(number, Waiter { keys, hand });
        (number, receiver)
    }

    /// He waits no longer. Says whether he did.
    pub(crate) fn dismiss(&mut self, number: u64) -> bool {
        self.remove(number).is_some()
    }

    fn remove(&mut self, number: u64) -> Option<Waiter> {
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

    /// Hands `value` to the one who waits longest for `key`; gives it back if nobody does.
    pub(crate) fn hand_over(&mut self, key: &str, value: Vec<u8>) -> Option<Vec<u8>> {
        let mut found = Ok((key.to_owned(), value));
        while let Some(&oldest) = self.by_key.get(key).and_then(BTreeSet::first) {
            let waiter = self.remove(oldest)?;
            match waiter.hand.try_send(found) {
                Ok(()) => return None,
                // Its thread is gone, by a panic.
                Err(unsent) => found = unsent.into_inner(),
            }
        }
        found.ok().map(|(_, value)| value)
    }

    /// Ends the wait of all who wait for `key` with an error.
    pub(crate) fn fail(&mut self, key: &str, error: impl Fn() -> Error) {
        for number in self.by_key.get(key).cloned().unwrap_or_default() {
            if let Some(waiter) = self.remove(number) {
                let _ = waiter.hand.try_send(Err(error()));
            }
        }
    }

    /// Ends the wait of everybody with an error.
    pub(crate) fn fail_all(&mut self, error: impl Fn() -> Error) {
        self.by_key.clear();
        for waiter in std::mem::take(&mut self.by_number).into_values() {
            let _ = waiter.hand.try_send(Err(error()));
        }
    }

    /// What is waited for: each key once, those of whoever has waited longest first, in his order.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut seen = std::collections::HashSet::with_capacity(self.by_key.len());
        let keys = self.by_number.values().flat_map(|waiter| &waiter.keys);
        keys.filter(|key| seen.insert(key.as_str())).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waited_longest_is_served_and_his_keys_come_first() {
        let mut waiters = Waiters::default();
        let (_, first) = waiters.enlist(&["b", "a", "b"]);
        let (left, _) = waiters.enlist(&["a"]);
        let (_, second) = waiters.enlist(&["c", "a"]);
        assert_eq!(waiters.keys(), ["b", "a", "c"]);
        assert!(waiters.dismiss(left) && !waiters.dismiss(left));
        assert_eq!(waiters.hand_over("a", vec![1]), None);
        assert_eq!(waiters.hand_over("a", vec![2]), None);
        assert_eq!(waiters.hand_over("a", vec![3]), Some(vec![3]));
        assert_eq!(first.try_recv().unwrap().unwrap(), ("a".to_owned(), vec![1]));
        assert_eq!(second.try_recv().unwrap().unwrap(), ("a".to_owned(), vec![2]));
        assert!(waiters.len() == 0 && waiters.keys().is_empty() && waiters.by_key.is_empty());
    }

    #[test]
    fn an_error_ends_the_wait_of_those_it_concerns() {
        let mut waiters = Waiters::default();
        let (_, concerned) = waiters.enlist(&["a", "b"]);
        let (_, other) = waiters.enlist(&["b"]);
        waiters.fail("a", || Error::Config { why: "no".to_owned() });
        assert!(concerned.try_recv().unwrap().is_err());
        assert!(other.try_recv().is_err());
        assert_eq!(waiters.len(), 1);
        waiters.fail_all(|| Error::Config { why: "no".to_owned() });
        assert!(other.try_recv().unwrap().is_err());
        assert!(waiters.len() == 0 && waiters.by_key.is_empty());
    }

    #[test]
    fn one_who_vanished_is_passed_over() {
        let mut waiters = Waiters::default();
        drop(waiters.enlist(&["a"]).1);
        let (_, second) = waiters.enlist(&["a"]);
        assert_eq!(waiters.hand_over("a", vec![1]), None);
        assert_eq!(second.try_recv().unwrap().unwrap().1, [1]);
    }
}
