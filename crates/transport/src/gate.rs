//! Whether a broker takes messages. On AMQP it is shut by `connection.blocked` (a memory or disk
//! alarm) and opened by `connection.unblocked` and by the connection's end, while amiquip itself
//! goes on accepting messages into a buffer that nobody empties. In memory, a test shuts it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use zc_events_protocol::{Clock, Deadline, clock};

use crate::{Error, Result};

#[derive(Default)]
pub(crate) struct Gate {
    shut: Mutex<Option<Shut>>,
    waiting: AtomicUsize,
}

struct Shut {
    since: Instant,
    reason: String,
    /// Dropped with this, which wakes all who hold a clone of `opened`.
    _shutter: Sender<()>,
    opened: Receiver<()>,
}

impl Gate {
    pub(crate) fn shut(&self, reason: String, since: Instant) {
        let (shutter, opened) = bounded(0);
        let mut state = self.lock();
        let since = state.as_ref().map_or(since, |shut| shut.since);
        *state = Some(Shut { since, reason, _shutter: shutter, opened });
    }

    pub(crate) fn open(&self) {
        *self.lock() = None;
    }

    /// Since when and why it is shut.
    pub(crate) fn blocked(&self) -> Option<(Instant, String)> {
        self.lock().as_ref().map(|shut| (shut.since, shut.reason.clone()))
    }

    /// What ends when it is opened, or shut once more for another reason; `None` where it is open.
    pub(crate) fn opening(&self) -> Option<Receiver<()>> {
        self.lock().as_ref().map(|shut| shut.opened.clone())
    }

    /// Waits until it is open.
    pub(crate) fn pass(&self, clock: &dyn Clock, deadline: Deadline) -> Result<()> {
        loop {
            let (opened, reason) = match &*self.lock() {
                None => return Ok(()),
                Some(shut) => (shut.opened.clone(), shut.reason.clone()),
            };
            self.waiting.fetch_add(1, Ordering::AcqRel);
            let opened = clock::receive(clock, &opened, deadline);
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            if opened == Err(RecvTimeoutError::Timeout) {
                return Err(Error::Blocked { reason });
            }
        }
    }

    /// How many wait in [`Gate::pass`].
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Shut>> {
        self.shut.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn a_shut_gate_says_why_at_the_deadline() {
        let clock = ManualClock::new();
        let gate = Gate::default();
        assert!(gate.pass(&clock, clock.deadline(Duration::ZERO)).is_ok());
        gate.shut("low on memory".into(), clock.now());
        let error = gate.pass(&clock, clock.deadline(Duration::ZERO)).unwrap_err();
        assert!(matches!(error, Error::Blocked { reason } if reason == "low on memory"));
    }

    #[test]
    fn what_waits_for_the_opening_is_woken_by_it() {
        let gate = Gate::default();
        assert!(gate.opening().is_none());
        gate.shut("disk".into(), Instant::now());
        let opening = gate.opening().unwrap();
        assert!(opening.try_recv().is_err_and(|error| error.is_empty()));
        gate.open();
        assert!(opening.try_recv().is_err_and(|error| error.is_disconnected()));
        assert!(gate.opening().is_none());
    }

    #[test]
    fn opening_lets_everyone_through() {
        let gate = Arc::new(Gate::default());
        gate.shut("disk".into(), Instant::now());
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let gate = Arc::clone(&gate);
                thread::spawn(move || gate.pass(&SystemClock, SystemClock.deadline(Duration::from_secs(60))))
            })
            .collect();
        // Shut again for another reason: those who wait look again and go on waiting.
        gate.shut("memory".into(), Instant::now());
        gate.open();
        for thread in waiting {
            assert!(thread.join().unwrap().is_ok());
        }
    }
}
