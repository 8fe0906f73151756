//! The queue of a stub, and the replies that wait for their time.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use zc_events_transport::memory::MemoryBroker;
use zc_events_transport::{Broker, Delivery};

use crate::stub_report::StubReport;

/// The queue of a stub, and the replies that the stub sends later.
pub(crate) struct StubQueue {
    pub(crate) name: String,
    scheduled: Mutex<BTreeMap<(Instant, u64), ScheduledReply>>,
}

/// A reply, and the request that it answers.
pub(crate) struct ScheduledReply {
    pub(crate) delivery: Delivery,
    /// The request as text.
    pub(crate) request: String,
    /// The outcome as text, once the reply is in the store.
    pub(crate) outcome: String,
    pub(crate) key: String,
    pub(crate) reply: Vec<u8>,
}

impl ScheduledReply {
    pub(crate) fn report(&self, outcome: String) -> StubReport {
        StubReport { request: self.request.clone(), outcome, is_expected: true }
    }
}

impl StubQueue {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), scheduled: Mutex::default() }
    }

    /// Whether the stub has nothing to do now; the error says what it has to do.
    pub(crate) fn check_quiescent(&self, broker: &MemoryBroker, now: Instant) -> Result<(), String> {
        if broker.consumers(&self.name) == 0 {
            // It reconnects by the real clock.
            return if broker.health().last_error.is_none() {
                Err("the stub is reconnecting".to_owned())
            } else {
                Ok(())
            };
        }
        // In this order: a reply that is sent in between is counted twice, and not missed.
        let unacked = broker.unacked(&self.name).unwrap_or(0);
        let scheduled = self.scheduled();
        let is_due = scheduled.first_key_value().is_some_and(|((due, _), _)| *due <= now);
        let is_busy = broker.queue_len(&self.name).unwrap_or(0) > 0 || unacked > scheduled.len() || is_due;
        if is_busy { Err("the stub has requests to answer".to_owned()) } else { Ok(()) }
    }

    /// When the next scheduled reply is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.scheduled().first_key_value().map(|((due, _), _)| *due)
    }

    pub(crate) fn scheduled(&self) -> MutexGuard<'_, BTreeMap<(Instant, u64), ScheduledReply>> {
        self.scheduled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
