//! Records what happened to each message, by its number.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use zc_events::{Error, Outcome};

/// The counts of one message.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    attempted: u32,
    confirmed: u32,
    returned: u32,
    nacked: u32,
    unknown: u32,
    not_sent: u32,
    handled: u32,
    completed: u32,
    redelivered: u32,
    answered: u32,
    crossed: u32,
}

/// The ledger of a row. Threads share it by reference.
#[derive(Default)]
pub struct Ledger {
    entries: Mutex<BTreeMap<u64, Entry>>,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        self.entries.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut Entry)) {
        change(self.lock().entry(id).or_default());
    }

    fn count(&self, which: impl Fn(&Entry) -> bool) -> usize {
        self.lock().values().filter(|entry| which(entry)).count()
    }

    /// A call that sends it begins.
    pub fn attempted(&self, id: u64) {
        self.change(id, |entry| entry.attempted += 1);
    }

    /// How that call ended.
    pub fn sent<T>(&self, id: u64, result: &Result<T, Error>) {
        self.change(id, |entry| match result {
            Ok(_) => entry.confirmed += 1,
            Err(Error::Unroutable { .. }) => entry.returned += 1,
            Err(Error::Nacked { .. }) => entry.nacked += 1,
            Err(error) if error.outcome() == Outcome::NotSent => entry.not_sent += 1,
            Err(_) => entry.unknown += 1,
        });
    }

    /// A handler got it.
    pub fn handled(&self, id: u64, redelivered: bool) {
        self.change(id, |entry| {
            entry.handled += 1;
            entry.redelivered += u32::from(redelivered);
        });
    }

    /// A handler returned.
    pub fn completed(&self, id: u64) {
        self.change(id, |entry| entry.completed += 1);
    }

    /// The caller got an answer: its own, or that of another call.
    pub fn answered(&self, id: u64, its_own: bool) {
        self.change(id, |entry| if its_own { entry.answered += 1 } else { entry.crossed += 1 });
    }

    /// How many were attempted.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.count(|entry| entry.attempted > 0)
    }

    /// How many were reported as sent.
    #[must_use]
    pub fn confirms(&self) -> usize {
        self.count(|entry| entry.confirmed > 0)
    }

    /// How many were reported as unroutable.
    #[must_use]
    pub fn returns(&self) -> usize {
        self.count(|entry| entry.returned > 0)
    }

    /// How many were reported as refused by a queue.
    #[must_use]
    pub fn nacks(&self) -> usize {
        self.count(|entry| entry.nacked > 0)
    }

    /// How many calls ended with an unknown outcome.
    #[must_use]
    pub fn unknowns(&self) -> usize {
        self.count(|entry| entry.unknown > 0)
    }

    /// How many calls said that nothing was sent.
    #[must_use]
    pub fn not_sent(&self) -> usize {
        self.count(|entry| entry.not_sent > 0)
    }

    /// How many were handled.
    #[must_use]
    pub fn handles(&self) -> usize {
        self.count(|entry| entry.handled > 0)
    }

    /// How many were handled at least once with the redelivered flag.
    #[must_use]
    pub fn redeliveries(&self) -> usize {
        self.count(|entry| entry.redelivered > 0)
    }

    /// How many callers got their answer.
    #[must_use]
    pub fn answers(&self) -> usize {
        self.count(|entry| entry.answered > 0)
    }

    /// How many callers got the answer of another.
    #[must_use]
    pub fn crossed(&self) -> usize {
        self.count(|entry| entry.crossed > 0)
    }

    /// How many were lost: confirmed, but never handled.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.count(|entry| entry.confirmed > 0 && entry.handled == 0)
    }

    /// How many were reported as not sent, but were handled.
    #[must_use]
    pub fn denied(&self) -> usize {
        self.count(|entry| entry.confirmed + entry.unknown + entry.nacked == 0 && entry.handled > 0)
    }

    /// The number of repeated handlings of all messages together.
    #[must_use]
    pub fn duplicates(&self) -> usize {
        self.lock().values().map(|entry| entry.handled.saturating_sub(1) as usize).sum()
    }

    /// How many were completed more than once.
    #[must_use]
    pub fn completed_again(&self) -> usize {
        self.count(|entry| entry.completed > 1)
    }

    /// The numbers of some lost messages, to find them in a log.
    #[must_use]
    pub fn examples_lost(&self) -> Vec<u64> {
        let entries = self.lock();
        let lost = entries.iter().filter(|(_, entry)| entry.confirmed > 0 && entry.handled == 0);
        lost.map(|(id, _)| *id).take(5).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_confirmed_and_not_handled_is_lost() {
        let ledger = Ledger::default();
        for id in 0..4 {
            ledger.attempted(id);
        }
        ledger.sent(0, &Ok(()));
        ledger.sent(1, &Ok(()));
        ledger.sent::<()>(2, &Err(Error::Closed));
        ledger.sent::<()>(3, &Err(Error::Nacked { exchange: String::new() }));
        assert_eq!((ledger.attempts(), ledger.confirms(), ledger.not_sent(), ledger.nacks()), (4, 2, 1, 1));
        ledger.handled(0, false);
        assert_eq!((ledger.lost(), ledger.examples_lost()), (1, vec![1]));
        ledger.handled(1, true);
        ledger.handled(1, true);
        assert_eq!((ledger.lost(), ledger.duplicates(), ledger.redeliveries()), (0, 1, 1));
        ledger.handled(2, false);
        assert_eq!(ledger.denied(), 1);
    }

    #[test]
    fn an_answer_of_another_is_crossed() {
        let ledger = Ledger::default();
        ledger.answered(1, true);
        ledger.answered(2, false);
        assert_eq!((ledger.answers(), ledger.crossed()), (1, 1));
    }
}
