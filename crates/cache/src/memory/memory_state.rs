//! The contents of the store in memory: lists, records, waiting calls, and the results for `health`. Times come from the
//! caller.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use super::memory_records::MemoryRecords;
use crate::waiters::{Found, Waiters};
use crate::{Error, Result, StoreHealth};

#[derive(Default)]
pub(super) struct MemoryState {
    lists: HashMap<String, AnswerList>,
    pub(super) waiters: Waiters,
    pub(super) records: MemoryRecords,
    /// At this number of lists, the expired ones are dropped.
    purge_at: usize,
    /// The text of each call's error, during a simulated outage.
    pub(super) failure: Option<String>,
    pub(super) health: StoreHealth,
}

struct AnswerList {
    values: VecDeque<Vec<u8>>,
    expires: Instant,
}

impl MemoryState {
    /// Fails during a simulated outage.
    pub(super) fn working(&self) -> Result<()> {
        match &self.failure {
            Some(what) => Err(Error::Unavailable { what: what.clone(), source: None }),
            None => Ok(()),
        }
    }

    /// Notes the result of a call for `health`.
    pub(super) fn note(&mut self, error: Option<&Error>, now: Instant) {
        self.health.reachable = Some(self.failure.is_none());
        if let Some(error) = error {
            self.health.last_error = Some(error.to_string());
            self.health.last_error_at = Some(now);
        }
    }

    pub(super) fn list_count(&self) -> usize {
        self.lists.len()
    }

    /// Refuses a key that holds a record: as in Redis, a key holds one type of value.
    pub(super) fn no_record(&self, key: &str, now: Instant) -> Result<()> {
        if self.records.holds(key, now) { Err(wrong_type("a list")) } else { Ok(()) }
    }

    /// Refuses a key that holds a list.
    pub(super) fn no_list(&self, key: &str, now: Instant) -> Result<()> {
        let holds = self.lists.get(key).is_some_and(|list| list.expires > now);
        if holds { Err(wrong_type("a record")) } else { Ok(()) }
    }

    /// Appends a value to the list under `key`, which then lives until `expires`.
    pub(super) fn append(&mut self, key: &str, value: Vec<u8>, expires: Instant, now: Instant) {
        self.purge(now);
        match self.lists.get_mut(key).filter(|list| list.expires > now) {
            Some(list) => {
                list.values.push_back(value);
                list.expires = expires;
            }
            None => {
                self.lists.insert(key.to_owned(), AnswerList { values: VecDeque::from([value]), expires });
            }
        }
    }

    /// Takes the oldest value of the list under `key`.
    pub(super) fn take(&mut self, key: &str, now: Instant) -> Option<Found> {
        let list = self.lists.get_mut(key)?;
        let value = if list.expires > now { list.values.pop_front() } else { None };
        if value.is_none() || list.values.is_empty() {
            self.lists.remove(key);
        }
        Some((key.to_owned(), value?))
    }

    fn purge(&mut self, now: Instant) {
        if self.lists.len() >= self.purge_at {
            self.lists.retain(|_, list| list.expires > now);
            self.purge_at = (self.lists.len() * 2).max(64);
        }
    }
}

fn wrong_type(expected: &str) -> Error {
    Error::Rejected { why: format!("the key holds something that is not {expected}") }
}
