//! The list of observers that a client or a service tells.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zc_events_protocol::Deadline;

use super::{Observer, Wait, WaitFor};

/// The installed observers, in the order of their installation.
#[derive(Clone, Default)]
pub(crate) struct Observers(Vec<Arc<dyn Observer>>);

impl Observers {
    pub(crate) fn add(&mut self, observer: Arc<dyn Observer>) {
        self.0.push(observer);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells each of them. One that panics harms neither the others nor the thread, which may hold messages.
    pub(crate) fn tell(&self, tell: impl Fn(&dyn Observer)) {
        for observer in &self.0 {
            if catch_unwind(AssertUnwindSafe(|| tell(&**observer))).is_err() {
                log::error!("an observer has panicked; it goes on being told");
            }
        }
    }

    /// Waits with `wait`, and tells when that begins and ends.
    pub(crate) fn waiting<T>(
        &self,
        what: WaitFor<'_>,
        message: Option<u64>,
        deadline: Deadline,
        wait: impl FnOnce() -> T,
    ) -> T {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        if self.is_empty() {
            return wait();
        }
        let waiting = Wait { number: NUMBER.fetch_add(1, Ordering::Relaxed), what, deadline, message };
        self.tell(|observer| observer.wait_started(&waiting));
        // Told however it ends: a panic of a store or a broker of the user's own ends it, too.
        let ending = Ending { observers: self, waiting };
        let waited = wait();
        drop(ending);
        waited
    }
}

struct Ending<'a> {
    observers: &'a Observers,
    waiting: Wait<'a>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.observers.tell(|observer| observer.wait_ended(&self.waiting));
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} observers", self.0.len())
    }
}
