//! A queue that the service consumes, and what is under way from it. The main lane brings
//! what is new; the quarantine, one at a time, what a vanished worker left behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use zc_events_protocol::Deadline;
use zc_events_transport::{Delivery, Verdict};

use crate::metrics;

/// A lane.
pub(super) struct Lane {
    pub(super) queue: String,
    pub(super) prefetch: u16,
    pub(super) is_quarantine: bool,
    consuming: AtomicBool,
    under_way: AtomicUsize,
    /// How many redelivered messages are likely to be our own, since a connection was lost
    /// with so many of them on it.
    excused: AtomicUsize,
    pub(super) wake: (Sender<()>, Receiver<()>),
    pub(super) done: (Sender<()>, Receiver<()>),
    pub(super) held: (Sender<Held>, Receiver<Held>),
}

/// A delivery on its way through the service.
pub(super) struct Job {
    pub(super) delivery: Delivery,
    pub(super) arrived: Instant,
    pub(super) lane: Arc<Lane>,
    decided: AtomicBool,
}

/// A delivery that nothing is to be done with before a time.
pub(super) struct Held {
    pub(super) until: Deadline,
    pub(super) job: Arc<Job>,
    pub(super) then: Then,
}

/// What is to be done with it then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    HandOut,
    GiveBack,
}

impl Job {
    pub(super) fn new(delivery: Delivery, arrived: Instant, lane: Arc<Lane>) -> Arc<Self> {
        Arc::new(Self { delivery, arrived, lane, decided: AtomicBool::new(false) })
    }

    /// Whether the one who asks is to decide on it: the first.
    pub(super) fn decide(&self) -> bool {
        !self.decided.swap(true, Ordering::AcqRel)
    }

    pub(super) fn ack(&self) {
        self.delivery.settler.ack();
    }

    pub(super) fn give_back(&self) {
        self.delivery.settler.settle(Verdict::Requeue);
    }
}

impl Lane {
    pub(super) fn new(queue: String, prefetch: u16, is_quarantine: bool) -> Arc<Self> {
        Arc::new(Self {
            queue,
            prefetch,
            is_quarantine,
            consuming: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
            excused: AtomicUsize::new(0),
            wake: bounded(1),
            done: bounded(1),
            held: unbounded(),
        })
    }

    pub(super) fn wake(&self) {
        // A message that is there already wakes as well.
        let _ = self.wake.0.try_send(());
    }

    /// Keeps a delivery until its time.
    pub(super) fn hold(&self, held: Held) {
        // The receiver lives as long as this.
        let _ = self.held.0.send(held);
        self.wake();
    }

    pub(super) fn begun(&self) {
        metrics::begun();
        self.under_way.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn finished(&self) {
        metrics::finished();
        self.under_way.fetch_sub(1, Ordering::AcqRel);
        let _ = self.done.0.try_send(());
    }

    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Acquire)
    }

    pub(super) fn set_consuming(&self, consuming: bool) {
        self.consuming.store(consuming, Ordering::Release);
        metrics::consuming(&self.queue, consuming);
    }

    pub(super) fn is_consuming(&self) -> bool {
        self.consuming.load(Ordering::Acquire)
    }

    /// The connection was lost: what was out comes again, and through no fault of its own.
    pub(super) fn excuse_all(&self) {
        self.excused.store(usize::from(self.prefetch), Ordering::Release);
    }

    /// Whether one more redelivered message is to be taken for one of those.
    pub(super) fn excuse_one(&self) -> bool {
        self.excused.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1)).is_ok()
    }
}
