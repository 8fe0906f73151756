//! The subscriptions that there are at the moment.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};
use zc_events_transport::Subscription;

use super::queue::ConsumedQueue;
use crate::Error;

/// A queue that is consumed, and how.
pub(super) struct LiveSubscription {
    pub(super) queue: Arc<ConsumedQueue>,
    pub(super) subscription: Arc<dyn Subscription>,
    has_failed: AtomicBool,
    /// Tells the queue's consumer why there are no more deliveries.
    failure: Sender<Error>,
}

impl LiveSubscription {
    /// With what tells its failure.
    pub(super) fn new(queue: &Arc<ConsumedQueue>, subscription: Arc<dyn Subscription>) -> (Self, Receiver<Error>) {
        let (failure, failed) = bounded(1);
        let live = Self { queue: Arc::clone(queue), subscription, has_failed: AtomicBool::new(false), failure };
        (live, failed)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }

    /// It gives no more deliveries. Its consumer is told once.
    pub(super) fn failed(&self, error: Error) {
        if !self.has_failed.swap(true, Ordering::AcqRel) {
            let _ = self.failure.try_send(error);
        }
    }
}

/// All of them. The list is changed only while no thread leads, so that no leader holds a subscription that is closed.
pub(super) struct LiveSubscriptions {
    list: Mutex<Arc<[Arc<LiveSubscription>]>>,
    interrupt: (Sender<()>, Receiver<()>),
}

impl Default for LiveSubscriptions {
    fn default() -> Self {
        Self { list: Mutex::new(Arc::new([])), interrupt: bounded(1) }
    }
}

impl LiveSubscriptions {
    /// Those that there are.
    pub(super) fn list(&self) -> Arc<[Arc<LiveSubscription>]> {
        Arc::clone(&self.lock())
    }

    /// Has a message when the leader is to look up.
    pub(super) fn interrupt(&self) -> &Receiver<()> {
        &self.interrupt.1
    }

    /// Makes the leader look up.
    pub(super) fn wake_leader(&self) {
        // Where it was told already, it looks as well.
        let _ = self.interrupt.0.try_send(());
    }

    /// A queue is consumed. No thread leads meanwhile.
    pub(super) fn add(&self, live: LiveSubscription) {
        self.change(|list| list.push(Arc::new(live)));
    }

    /// A queue is consumed no more. No thread leads meanwhile.
    pub(super) fn remove(&self, queue: &Arc<ConsumedQueue>) {
        self.change(|list| list.retain(|live| !Arc::ptr_eq(&live.queue, queue)));
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<LiveSubscription>>)) {
        let mut list = self.lock();
        let mut changed = list.to_vec();
        change(&mut changed);
        *list = changed.into();
    }

    fn lock(&self) -> MutexGuard<'_, Arc<[Arc<LiveSubscription>]>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
