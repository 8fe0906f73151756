//! The queue of a stand-in, and the answers whose time has yet to come. Who answers what is in `stub`.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::stub::StubLine;
use zc_events_transport::memory::MemoryBroker;
use zc_events_transport::{Broker, Delivery};

/// The queue of a stub, and what is to be answered later.
pub(crate) struct StubQueue {
    pub(crate) name: String,
    held: Mutex<BTreeMap<(Instant, u64), Held>>,
}

/// An answer whose time has yet to come, and what it answers.
pub(crate) struct Held {
    pub(crate) delivery: Delivery,
    /// What was asked, and what is said once it is answered.
    pub(crate) asked: String,
    pub(crate) answered: String,
    pub(crate) key: String,
    pub(crate) answer: Vec<u8>,
}

impl Held {
    /// The line about it.
    pub(crate) fn line(&self, answered: String) -> StubLine {
        StubLine { asked: self.asked.clone(), answered, expected: true }
    }
}

impl StubQueue {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), held: Mutex::default() }
    }

    /// Whether nothing is left to do for it at this moment; else what is.
    pub(crate) fn rest(&self, broker: &MemoryBroker, now: Instant) -> Result<(), String> {
        if broker.consumers(&self.name) == 0 {
            // It comes back by the real clock.
            return if broker.health().last_error.is_none() {
                Err("the stand-in comes back".to_owned())
            } else {
                Ok(())
            };
        }
        // In this order: what is answered in between is counted twice rather than not at all.
        let unacked = broker.unacked(&self.name).unwrap_or(0);
        let held = self.held();
        let is_due = held.first_key_value().is_some_and(|((due, _), _)| *due <= now);
        let waits = broker.queue_len(&self.name).unwrap_or(0) > 0 || unacked > held.len() || is_due;
        if waits { Err("the stand-in for remote services has something to answer".to_owned()) } else { Ok(()) }
    }

    /// When something is to be answered next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.held().first_key_value().map(|((due, _), _)| *due)
    }

    pub(crate) fn held(&self) -> MutexGuard<'_, BTreeMap<(Instant, u64), Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
