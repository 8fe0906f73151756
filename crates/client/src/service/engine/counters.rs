//! The counters behind `ServiceHealth`: an observer like any other.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::observe::{HandlerEnded, HandlerEnding, Replied, ReplyEnding, Settled, Settlement};
use crate::{Observer, ServiceHealth};

/// What a service has done so far.
#[derive(Default)]
pub(super) struct ServiceCounters {
    processed: AtomicU64,
    ignored: AtomicU64,
    failed: AtomicU64,
    retried: AtomicU64,
    duplicates: AtomicU64,
    expired: AtomicU64,
    unanswered: AtomicU64,
    quarantined: AtomicU64,
    dead_lettered: AtomicU64,
}

impl ServiceCounters {
    /// Counts a duplicate that was answered like a new request.
    pub(super) fn count_duplicate(&self) {
        self.duplicates.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes the counts into `health`.
    pub(super) fn read_into(&self, health: &mut ServiceHealth) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        health.processed = read(&self.processed);
        health.ignored = read(&self.ignored);
        health.failed = read(&self.failed);
        health.retried = read(&self.retried);
        health.duplicates = read(&self.duplicates);
        health.expired = read(&self.expired);
        health.unanswered = read(&self.unanswered);
        health.quarantined = read(&self.quarantined);
        health.dead_lettered = read(&self.dead_lettered);
    }
}

impl Observer for ServiceCounters {
    fn handler_ended(&self, handler: &HandlerEnded<'_>) {
        if handler.ending == HandlerEnding::Failed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn replied(&self, reply: &Replied<'_>) {
        if reply.ending == ReplyEnding::BadKey {
            self.unanswered.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn settled(&self, message: &Settled<'_>) {
        let counter = match message.settlement {
            Settlement::Handled => &self.processed,
            Settlement::Retried => &self.retried,
            Settlement::DeadLettered { .. } => &self.dead_lettered,
            Settlement::Expired => &self.expired,
            Settlement::Duplicate => &self.duplicates,
            Settlement::Unanswered => &self.unanswered,
            Settlement::Ignored => &self.ignored,
            Settlement::Quarantined => &self.quarantined,
            Settlement::Deferred | Settlement::Requeued => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
