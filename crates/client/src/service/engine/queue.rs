//! A queue that the service consumes, and how many of its messages are with the workers.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

/// How long after a lost connection redelivered messages are taken for those that were on it.
const ALLOWED_FOR: Duration = Duration::from_secs(60);

/// What a queue is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::service) enum QueueRole {
    Events,
    Notifications,
    /// Messages whose worker died while it may have handled them. They are handled one at a time.
    Quarantine,
}

/// A queue that is consumed.
pub(in crate::service) struct ConsumedQueue {
    pub(in crate::service) name: String,
    pub(in crate::service) prefetch: u16,
    pub(in crate::service) role: QueueRole,
    consuming: AtomicBool,
    taken: AtomicUsize,
    /// Those of them that came on the present connection.
    current: Mutex<ConnectionCount>,
    allowance: Mutex<RedeliveryAllowance>,
    /// Has a message when the queue's consumer is to look up.
    pub(super) wake: (Sender<()>, Receiver<()>),
    /// Has a message when a worker is done with a message of this queue.
    pub(super) done: (Sender<()>, Receiver<()>),
}

/// A connection of the queue, counted from the first, and how many of its messages are with the workers.
#[derive(Default)]
struct ConnectionCount {
    epoch: u64,
    taken: usize,
}

/// How many redelivered messages are likely to be this process's own, since a connection was lost with so many of them on
/// it; and until when.
#[derive(Default)]
struct RedeliveryAllowance {
    left: u16,
    until: Option<Instant>,
}

impl ConsumedQueue {
    pub(in crate::service) fn new(name: String, prefetch: u16, role: QueueRole) -> Arc<Self> {
        Arc::new(Self {
            name,
            prefetch,
            role,
            consuming: AtomicBool::new(false),
            taken: AtomicUsize::new(0),
            current: Mutex::default(),
            allowance: Mutex::default(),
            wake: bounded(1),
            done: bounded(1),
        })
    }

    pub(super) fn is_quarantine(&self) -> bool {
        self.role == QueueRole::Quarantine
    }

    /// Makes the queue's consumer look up.
    pub(super) fn wake(&self) {
        // Where it was told already, it looks as well.
        let _ = self.wake.0.try_send(());
    }

    pub(super) fn set_consuming(&self, consuming: bool) {
        self.consuming.store(consuming, Ordering::Release);
    }

    pub(in crate::service) fn is_consuming(&self) -> bool {
        self.consuming.load(Ordering::Acquire)
    }

    /// The number of the present connection.
    pub(super) fn epoch(&self) -> u64 {
        self.current().epoch
    }

    /// A message that came on the connection of this number is with the workers.
    pub(super) fn take(&self, epoch: u64) {
        self.taken.fetch_add(1, Ordering::AcqRel);
        let mut current = self.current();
        if current.epoch == epoch {
            current.taken += 1;
        }
    }

    /// It is with the workers no more.
    pub(super) fn release(&self, epoch: u64) {
        self.taken.fetch_sub(1, Ordering::AcqRel);
        let mut current = self.current();
        if current.epoch == epoch {
            current.taken -= 1;
        }
        drop(current);
        let _ = self.done.0.try_send(());
    }

    /// How many messages are with the workers.
    pub(in crate::service) fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    /// How many messages of the present connection are with the workers.
    pub(in crate::service) fn currently_taken(&self) -> usize {
        self.current().taken
    }

    /// The connection was lost: what was out on it is delivered again, and no worker has died.
    pub(super) fn connection_lost(&self) {
        let mut current = self.current();
        *current = ConnectionCount { epoch: current.epoch + 1, taken: 0 };
        drop(current);
        *self.allowance() = RedeliveryAllowance { left: self.prefetch, until: None };
    }

    /// The queue is consumed again: what was out is delivered soon, or to others.
    pub(super) fn limit_allowance(&self, now: Instant) {
        self.allowance().until = now.checked_add(ALLOWED_FOR);
    }

    /// Whether one more redelivered message is taken for one that was on the lost connection.
    pub(super) fn allows_redelivery(&self, now: Instant) -> bool {
        let mut allowance = self.allowance();
        if allowance.left == 0 || allowance.until.is_some_and(|until| until <= now) {
            return false;
        }
        allowance.left -= 1;
        true
    }

    fn current(&self) -> MutexGuard<'_, ConnectionCount> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn allowance(&self) -> MutexGuard<'_, RedeliveryAllowance> {
        self.allowance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
