//! A queue that the service consumes, and what is under way from it. The lanes of events and of notifications bring
//! what is new; the quarantine, one at a time, what a vanished worker left behind.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use zc_events_protocol::Deadline;
use zc_events_transport::{Delivery, Verdict};

use super::errand::Errand;
use crate::observe::Observers;

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
    observers: Observers,
    consuming: AtomicBool,
    under_way: AtomicUsize,
    /// Those of them that came on the connection that there is now.
    current: Mutex<Current>,
    /// How many redelivered messages are likely to be our own, since a connection was lost
    /// with so many of them on it.
    excuses: Mutex<Excuses>,
    pub(super) wake: (Sender<()>, Receiver<()>),
    pub(super) done: (Sender<()>, Receiver<()>),
    held: Mutex<Held>,
}

/// A delivery on its way through the service.
pub(super) struct Job {
    pub(super) delivery: Delivery,
    pub(super) arrived: Instant,
    pub(super) lane: Arc<Lane>,
    /// Which it is among all of this process.
    pub(super) number: u64,
    /// Which connection of its lane it came on.
    epoch: u64,
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

/// What is kept until its time, the earliest first, and what came first before what came later.
#[derive(Default)]
struct Held {
    items: BTreeMap<(Instant, u64), Item>,
    next: u64,
}

/// A connection of a lane, counted from the first, and how many of its messages are with the workers.
#[derive(Default)]
struct Current {
    epoch: u64,
    under_way: usize,
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
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let (number, epoch) = (NUMBER.fetch_add(1, Ordering::Relaxed), lane.current().epoch);
        Arc::new(Self { delivery, arrived, lane, number, epoch, key: OnceLock::new() })
    }

    /// It is with the workers.
    pub(super) fn begun(&self) {
        self.lane.observers.tell(|observer| observer.message_taken());
        self.lane.under_way.fetch_add(1, Ordering::AcqRel);
        let mut current = self.lane.current();
        if current.epoch == self.epoch {
            current.under_way += 1;
        }
    }

    /// It is with the workers no more.
    pub(super) fn finished(&self) {
        self.lane.observers.tell(|observer| observer.message_released());
        self.lane.under_way.fetch_sub(1, Ordering::AcqRel);
        let mut current = self.lane.current();
        if current.epoch == self.epoch {
            current.under_way -= 1;
        }
        drop(current);
        let _ = self.lane.done.0.try_send(());
    }

    pub(super) fn ack(&self) {
        self.delivery.settler.ack();
    }

    pub(super) fn give_back(&self) {
        self.delivery.settler.settle(Verdict::Requeue);
    }
}

impl Lane {
    pub(super) fn new(queue: String, prefetch: u16, brings: Brings, observers: Observers) -> Arc<Self> {
        Arc::new(Self {
            queue,
            prefetch,
            brings,
            observers,
            consuming: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
            current: Mutex::default(),
            excuses: Mutex::default(),
            wake: bounded(1),
            done: bounded(1),
            held: Mutex::default(),
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
        let mut held = self.held();
        held.next += 1;
        let number = held.next;
        held.items.insert((until.instant(), number), item);
        drop(held);
        self.wake();
    }

    /// Takes out what is due by now, and says when the next is.
    pub(super) fn take_due(&self, now: Instant) -> (Vec<Item>, Option<Instant>) {
        let mut held = self.held();
        let later = held.items.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut held.items, later);
        (due.into_values().collect(), held.items.keys().next().map(|(when, _)| *when))
    }

    /// Takes out all that is held.
    pub(super) fn take_held(&self) -> Vec<Item> {
        std::mem::take(&mut self.held().items).into_values().collect()
    }

    /// How many are held, and when the first of them is due.
    pub(super) fn held_until(&self) -> (usize, Option<Instant>) {
        let held = self.held();
        (held.items.len(), held.items.keys().next().map(|(when, _)| *when))
    }

    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Acquire)
    }

    pub(super) fn set_consuming(&self, consuming: bool) {
        self.consuming.store(consuming, Ordering::Release);
    }

    pub(super) fn is_consuming(&self) -> bool {
        self.consuming.load(Ordering::Acquire)
    }

    /// How many messages of the connection that there is now are with the workers.
    pub(super) fn currently_under_way(&self) -> usize {
        self.current().under_way
    }

    /// The connection was lost: what was out comes again, and through no fault of its own.
    pub(super) fn excuse_all(&self) {
        let mut current = self.current();
        *current = Current { epoch: current.epoch + 1, under_way: 0 };
        drop(current);
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

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn excuses(&self) -> MutexGuard<'_, Excuses> {
        self.excuses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
