//! The idempotency records of the store in memory. Times come from the caller.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::Claim;

/// Leases and completed records, by key.
#[derive(Default)]
pub(super) struct MemoryRecords {
    entries: HashMap<String, RecordEntry>,
    /// At this number of entries, the expired ones are dropped.
    purge_at: usize,
}

struct RecordEntry {
    owner: String,
    /// `None` for a lease.
    record: Option<Vec<u8>>,
    expires: Instant,
}

impl MemoryRecords {
    fn live(&self, key: &str, now: Instant) -> Option<&RecordEntry> {
        self.entries.get(key).filter(|entry| entry.expires > now)
    }

    pub(super) fn holds(&self, key: &str, now: Instant) -> bool {
        self.live(key, now).is_some()
    }

    fn put(&mut self, key: &str, owner: &str, record: Option<Vec<u8>>, expires: Instant, now: Instant) {
        if self.entries.len() >= self.purge_at {
            self.entries.retain(|_, entry| entry.expires > now);
            self.purge_at = (self.entries.len() * 2).max(64);
        }
        self.entries.insert(key.to_owned(), RecordEntry { owner: owner.to_owned(), record, expires });
    }

    pub(super) fn claim(&mut self, key: &str, owner: &str, expires: Instant, now: Instant) -> Claim {
        match self.live(key, now) {
            Some(RecordEntry { record: Some(record), .. }) => return Claim::Completed(record.clone()),
            Some(entry) if entry.owner != owner => {
                return Claim::Held { for_at_most: (entry.expires - now).max(Duration::from_millis(1)) };
            }
            _ => self.put(key, owner, None, expires, now),
        }
        Claim::Granted
    }

    pub(super) fn renew(&mut self, key: &str, owner: &str, expires: Instant, now: Instant) -> bool {
        let entry = self.entries.get_mut(key).filter(|entry| entry.expires > now);
        match entry.filter(|entry| entry.owner == owner && entry.record.is_none()) {
            Some(entry) => {
                entry.expires = expires;
                true
            }
            None => false,
        }
    }

    pub(super) fn complete(&mut self, key: &str, owner: &str, record: Vec<u8>, expires: Instant, now: Instant) -> bool {
        let ours = self.live(key, now).is_none_or(|entry| entry.owner == owner);
        if ours {
            self.put(key, owner, Some(record), expires, now);
        }
        ours
    }

    pub(super) fn release(&mut self, key: &str, owner: &str) {
        if self.entries.get(key).is_some_and(|entry| entry.owner == owner && entry.record.is_none()) {
            self.entries.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expired_records_do_not_pile_up() {
        let mut records = MemoryRecords::default();
        let mut now = Instant::now();
        for number in 0..10_000 {
            records.complete(&number.to_string(), "me", vec![1], now + Duration::from_secs(1), now);
            now += Duration::from_millis(100);
        }
        assert!(records.entries.len() <= 64);
    }
}
