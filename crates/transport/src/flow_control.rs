//! Whether a broker accepts messages. On AMQP, `connection.blocked` (a memory or disk alarm) blocks a connection, and
//! `connection.unblocked` and the connection's end unblock it. amiquip itself would go on accepting messages into a
//! buffer that is not drained. In memory, a test blocks the broker.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use zc_events_protocol::{Clock, Deadline, clock};

use crate::{Error, Result};

#[derive(Default)]
pub(crate) struct FlowControl {
    blocked: Mutex<Option<BlockedSince>>,
    waiting: AtomicUsize,
}

struct BlockedSince {
    since: Instant,
    reason: String,
    /// Its drop wakes every holder of a clone of `unblocked`.
    _blocker: Sender<()>,
    unblocked: Receiver<()>,
}

impl FlowControl {
    pub(crate) fn block(&self, reason: String, since: Instant) {
        let (blocker, unblocked) = bounded(0);
        let mut state = self.lock();
        let since = state.as_ref().map_or(since, |blocked| blocked.since);
        *state = Some(BlockedSince { since, reason, _blocker: blocker, unblocked });
    }

    pub(crate) fn unblock(&self) {
        *self.lock() = None;
    }

    /// Since when, and why, it is blocked.
    pub(crate) fn blocked(&self) -> Option<(Instant, String)> {
        self.lock().as_ref().map(|blocked| (blocked.since, blocked.reason.clone()))
    }

    /// A channel that disconnects when it is unblocked, or blocked again for another reason. `None` if it is not
    /// blocked.
    pub(crate) fn unblocked(&self) -> Option<Receiver<()>> {
        self.lock().as_ref().map(|blocked| blocked.unblocked.clone())
    }

    /// Waits until it is not blocked.
    pub(crate) fn wait_until_unblocked(&self, clock: &dyn Clock, deadline: Deadline) -> Result<()> {
        loop {
            let (unblocked, reason) = match &*self.lock() {
                None => return Ok(()),
                Some(blocked) => (blocked.unblocked.clone(), blocked.reason.clone()),
            };
            self.waiting.fetch_add(1, Ordering::AcqRel);
            let outcome = clock::receive(clock, &unblocked, deadline);
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            if outcome == Err(RecvTimeoutError::Timeout) {
                return Err(Error::Blocked { reason });
            }
        }
    }

    /// How many callers are in [`FlowControl::wait_until_unblocked`].
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Option<BlockedSince>> {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;
    use zc_events_protocol::{ManualClock, SystemClock};

    #[test]
    fn a_blocked_broker_gives_its_reason_at_the_deadline() {
        let clock = ManualClock::new();
        let flow_control = FlowControl::default();
        assert!(flow_control.wait_until_unblocked(&clock, clock.deadline(Duration::ZERO)).is_ok());
        flow_control.block("low on memory".into(), clock.now());
        let error = flow_control.wait_until_unblocked(&clock, clock.deadline(Duration::ZERO)).unwrap_err();
        assert!(matches!(error, Error::Blocked { reason } if reason == "low on memory"));
    }

    #[test]
    fn unblocking_disconnects_the_channel() {
        let flow_control = FlowControl::default();
        assert!(flow_control.unblocked().is_none());
        flow_control.block("disk".into(), Instant::now());
        let unblocked = flow_control.unblocked().unwrap();
        assert!(unblocked.try_recv().is_err_and(|error| error.is_empty()));
        flow_control.unblock();
        assert!(unblocked.try_recv().is_err_and(|error| error.is_disconnected()));
        assert!(flow_control.unblocked().is_none());
    }

    #[test]
    fn unblocking_wakes_every_caller() {
        let flow_control = Arc::new(FlowControl::default());
        flow_control.block("disk".into(), Instant::now());
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let flow_control = Arc::clone(&flow_control);
                thread::spawn(move || {
                    flow_control.wait_until_unblocked(&SystemClock, SystemClock.deadline(Duration::from_secs(60)))
                })
            })
            .collect();
        // Blocked again for another reason: the callers look again and go on waiting.
        flow_control.block("memory".into(), Instant::now());
        flow_control.unblock();
        for thread in waiting {
            assert!(thread.join().unwrap().is_ok());
        }
    }
}
