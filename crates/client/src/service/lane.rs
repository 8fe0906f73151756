//! A queue that the service consumes, and what is under way from it. The lanes of events and of notifications bring
//! what is new; the quarantine, one at a time, what a vanished worker left behind.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use zc_events_protocol::Deadline;
use zc_events_transport::{Delivery, Verdict};

use super::errand::Errand;
use crate::metrics;

/// How long after a lost connection redelivered messages are taken for those that were on it.
const EXCUSED_FOR: Duration = Duration::from_secs(60);

/// What a lane brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brings {
    Events,
    Notifications,
    Suspects,
}

/// A lane.
pub(super) struct Lane {
    pub(super) queue: String,
    pub(super) prefetch: u16,
    pub(super) brings: Brings,
    consuming: AtomicBool,
    under_way: AtomicUsize,
    /// How many redelivered messages are likely to be our own, since a connection was lost
    /// with so many of them on it.
    excuses: Mutex<Excuses>,
    pub(super) wake: (Sender<()>, Receiver<()>),
    pub(super) done: (Sender<()>, Receiver<()>),
    pub(super) held: (Sender<Held>, Receiver<Held>),
}

/// A delivery on its way through the service.
pub(super) struct Job {
    pub(super) delivery: Delivery,
    pub(super) arrived: Instant,
    pub(super) lane: Arc<Lane>,
    /// What it is known by, once it is being handled.
    pub(super) key: OnceLock<String>,
}

/// What a worker is given.
pub(super) enum Item {
    /// A message.
    Message(Arc<Job>),
    /// One that was worked on, and is to go elsewhere.
    Errand(Box<Errand>),
}

/// Something that nothing is to be done with before a time.
pub(super) struct Held {
    pub(super) until: Deadline,
    pub(super) item: Item,
}

/// How many redelivered messages are excused, and until when.
#[derive(Default)]
struct Excuses {
    left: u16,
    until: Option<Instant>,
}

impl Item {
    pub(super) fn job(&self) -> &Arc<Job> {
        match self {
            Item::Message(job) => job,
            Item::Errand(errand) => &errand.work().job,
        }
    }
}

impl Job {
    pub(super) fn new(delivery: Delivery, arrived: Instant, lane: Arc<Lane>) -> Arc<Self> {
        Arc::new(Self { delivery, arrived, lane, key: OnceLock::new() })
    }

    pub(super) fn ack(&self) {
        self.delivery.settler.ack();
    }

    pub(super) fn give_back(&self) {
        self.delivery.settler.settle(Verdict::Requeue);
    }
}

impl Lane {
    pub(super) fn new(queue: String, prefetch: u16, brings: Brings) -> Arc<Self> {
        Arc::new(Self {
            queue,
            prefetch,
            brings,
            consuming: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
            excuses: Mutex::default(),
            wake: bounded(1),
            done: bounded(1),
            held: unbounded(),
        })
    }

    pub(super) fn is_quarantine(&self) -> bool {
        self.brings == Brings::Suspects
    }

    pub(super) fn wake(&self) {
        // A message that is there already wakes as well.
        let _ = self.wake.0.try_send(());
    }

    /// Keeps something until its time, and hands it to the workers then.
    pub(super) fn hold(&self, until: Deadline, item: Item) {
        // The receiver lives as long as this.
        let _ = self.held.0.send(Held { until, item });
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
        *self.excuses() = Excuses { left: self.prefetch, until: None };
    }

    /// The queue is consumed again: what was out comes soon or has gone to others.
    pub(super) fn limit_excuses(&self, now: Instant) {
        self.excuses().until = now.checked_add(EXCUSED_FOR);
    }

    /// Whether one more redelivered message is to be taken for one of those.
    pub(super) fn excuse_one(&self, now: Instant) -> bool {
        let mut excuses = self.excuses();
        if excuses.left == 0 || excuses.until.is_some_and(|until| until <= now) {
            return false;
        }
        excuses.left -= 1;
        true
    }

    fn excuses(&self) -> MutexGuard<'_, Excuses> {
        self.excuses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
