//! Waiting for answers: calls share one connection and one thread (`waiter_thread`), which passes each value on to the call
//! that waits for its key.
//!
//! A call ends at its deadline by itself, whatever the server does. A value that is taken for it afterwards is put back.
//! A call that comes while the thread is in a BLPOP, which does not know the new keys, ends that BLPOP with a push to a
//! key of this waiter's own: the wake channel.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use zc_events_protocol::Deadline;
use zc_events_protocol::clock::receive;

use super::health_tracker::HealthTracker;
use super::pool::RedisPool;
use super::waiter_state::{ThreadState, WaiterShared};
use super::waiter_thread::WaiterThread;
use crate::waiters::Found;
use crate::{Error, Result};

/// How long a push to the wake channel may take, and how long its token lives.
const WAKE: Duration = Duration::from_secs(1);

pub(super) struct SharedWaiter {
    shared: Arc<WaiterShared>,
    /// Ends the sleep of an idle thread. When it is gone, the thread ends.
    notify: Mutex<Option<Sender<()>>>,
}

impl SharedWaiter {
    pub(super) fn new(pool: Arc<RedisPool>, health: Arc<HealthTracker>) -> Self {
        Self { shared: Arc::new(WaiterShared::new(pool, health)), notify: Mutex::default() }
    }

    /// Whether the thread awaits something from the server.
    pub(super) fn is_awaiting(&self) -> bool {
        self.shared.is_awaiting()
    }

    /// Waits for a value under one of `keys`, until the `deadline` and not longer. `wake` pushes to the key that it gets,
    /// by the deadline that it gets.
    pub(super) fn wait(
        &self,
        keys: &[&str],
        deadline: Deadline,
        wake: impl FnOnce(&str, Deadline) -> Result<()>,
    ) -> Result<Option<Found>> {
        let clock = &*self.shared.connector().clock;
        let (number, value, thread) = {
            let mut state = self.shared.lock();
            let (number, value) = state.waiters.register(keys);
            // The next call need not do again what this one does now.
            (number, value, std::mem::replace(&mut state.thread, ThreadState::Scanning))
        };
        match thread {
            ThreadState::Absent => self.start(),
            ThreadState::Idle => self.notify(),
            ThreadState::Scanning => {}
            ThreadState::Blocking => {
                if wake(&self.shared.wake_key, deadline.min(clock.deadline(WAKE))).is_err() {
                    self.not_woken(deadline);
                }
            }
        }
        let late = match receive(clock, &value, deadline) {
            Ok(delivered) => return delivered.map(Some),
            Err(_) => {
                let mut state = self.shared.lock();
                state.waiters.remove(number);
                state.late_stage(clock.now())
            }
        };
        match (value.try_recv(), late) {
            // It was delivered between the deadline and the lock.
            (Ok(delivered), _) => delivered.map(Some),
            (Err(_), Some(stage)) => Err(Error::Timeout { stage }),
            (Err(_), None) => Ok(None),
        }
    }

    /// The BLPOP goes on without the new keys, for a second at most.
    fn not_woken(&self, deadline: Deadline) {
        let clock = &*self.shared.connector().clock;
        let mut state = self.shared.lock();
        if !deadline.has_passed(clock) {
            // Until pushes succeed again, the thread does not block.
            state.disable_wake(clock.now());
        } else if state.thread == ThreadState::Scanning {
            // This call leaves. The next one wakes the thread for all.
            state.thread = ThreadState::Blocking;
        }
    }

    fn notify(&self) {
        if let Some(notify) = &*self.sender() {
            let _ = notify.try_send(());
        }
    }

    fn start(&self) {
        let (notify, notified) = bounded(1);
        let thread = WaiterThread::new(Arc::clone(&self.shared));
        let named = thread::Builder::new().name("zc-events-redis-wait".to_owned());
        let mut sender = self.sender();
        // A thread that cannot be started drops `thread`, which ends the wait of all calls.
        match named.spawn(move || thread.run(&notified)) {
            Ok(_) => *sender = Some(notify),
            Err(error) => log::warn!("the thread that waits for answers from Redis cannot be started: {error}"),
        }
    }

    fn sender(&self) -> MutexGuard<'_, Option<Sender<()>>> {
        self.notify.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
