//! The end of every blocking call: amiquip has no timeouts, so a thread shuts the socket
//! down at the deadline, which ends whatever call was blocked on it. One thread for a
//! broker, not one per call; it sleeps until the nearest deadline.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, never, select};
use zc_events_protocol::{Clock, Deadline};

use crate::gate::Gate;

/// How long a patient watch waits until it looks again whether its gate is open, and how
/// long the broker then has for the answer.
const AGAIN: Duration = Duration::from_secs(5);

/// A second handle of a connection's socket. While it exists the peer does not see the
/// connection end, so whoever is done with the connection cuts it.
#[derive(Debug)]
pub(super) struct Lifeline {
    stream: TcpStream,
    cut: AtomicBool,
}

impl Lifeline {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, cut: AtomicBool::new(false) }
    }

    /// Ends the connection at once, in both directions.
    pub(super) fn cut(&self) {
        if !self.cut.swap(true, Ordering::AcqRel) {
            // It fails only when the connection is gone already.
            let _ = self.stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        self.cut();
    }
}

/// Cuts lifelines whose deadline passes while they are watched.
pub(super) struct Watchdog {
    shared: Arc<Shared>,
}

struct Shared {
    watched: Mutex<Watched>,
    wake: Sender<()>,
}

#[derive(Default)]
struct Watched {
    next_id: u64,
    /// When the thread will look next. It is woken only for something earlier, which in a
    /// steady run of calls with the same timeout is never.
    alarm: Option<Instant>,
    by_deadline: BTreeMap<(Instant, u64), Watch>,
    closed: bool,
}

struct Watch {
    lifeline: Arc<Lifeline>,
    fired: Arc<AtomicBool>,
    patience: Option<Patience>,
}

/// A reason not to cut at the deadline.
struct Patience {
    /// While it is shut, the broker reads nothing and answers nothing.
    gate: Arc<Gate>,
    /// Whether it was shut when last looked at.
    was_shut: bool,
}

/// Watches until it is dropped.
pub(super) struct Guard<'a> {
    shared: &'a Shared,
    key: (Instant, u64),
    fired: Arc<AtomicBool>,
    is_patient: bool,
}

impl Watchdog {
    pub(super) fn start(clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let (wake, woken) = bounded(1);
        let shared = Arc::new(Shared { watched: Mutex::default(), wake });
        thread::Builder::new().name("zc-events-watchdog".into()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run(&*clock, &woken)
        })?;
        Ok(Self { shared })
    }

    /// Cuts `lifeline` at the deadline, unless the guard was dropped before.
    pub(super) fn watch(&self, lifeline: &Arc<Lifeline>, deadline: Deadline) -> Guard<'_> {
        self.watch_with(lifeline, deadline, None)
    }

    /// [`Watchdog::watch`], which does not cut while `gate` is shut, nor before the broker
    /// has had [`AGAIN`] for its answer since. For those whose call nobody waits for.
    pub(super) fn watch_patiently(&self, lifeline: &Arc<Lifeline>, deadline: Deadline, gate: &Arc<Gate>) -> Guard<'_> {
        self.watch_with(lifeline, deadline, Some(Patience { gate: Arc::clone(gate), was_shut: false }))
    }

    fn watch_with(&self, lifeline: &Arc<Lifeline>, deadline: Deadline, patience: Option<Patience>) -> Guard<'_> {
        let is_patient = patience.is_some();
        let fired = Arc::new(AtomicBool::new(false));
        let mut watched = self.shared.lock();
        let key = (deadline.instant(), watched.next_id);
        watched.next_id += 1;
        let watch = Watch { lifeline: Arc::clone(lifeline), fired: Arc::clone(&fired), patience };
        watched.by_deadline.insert(key, watch);
        if watched.alarm.is_none_or(|alarm| key.0 < alarm) {
            watched.alarm = Some(key.0);
            self.shared.wake();
        }
        drop(watched);
        Guard { shared: &self.shared, key, fired, is_patient }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake();
    }
}

impl Guard<'_> {
    /// Whether the deadline passed, and what was watched has been cut.
    pub(super) fn has_fired(&self) -> bool {
        self.fired.load(Ordering::Acquire)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let mut watched = self.shared.lock();
        let found = watched.by_deadline.remove(&self.key);
        if found.is_none() && self.is_patient {
            // It may have been put off.
            watched.by_deadline.retain(|(_, id), _| *id != self.key.1);
        }
    }
}

impl Watch {
    /// Asked when it is due.
    fn is_to_wait(&mut self) -> bool {
        let Some(patience) = &mut self.patience else { return false };
        let is_shut = patience.gate.blocked().is_some();
        std::mem::replace(&mut patience.was_shut, is_shut) || is_shut
    }
}

impl Shared {
    fn run(&self, clock: &dyn Clock, woken: &Receiver<()>) {
        loop {
            let mut watched = self.lock();
            if watched.closed {
                return;
            }
            let now = clock.now();
            let later = watched.by_deadline.split_off(&(now, u64::MAX));
            let due = std::mem::replace(&mut watched.by_deadline, later);
            let mut cut = Vec::new();
            for ((_, id), mut watch) in due {
                if watch.is_to_wait() {
                    watched.by_deadline.insert((now + AGAIN, id), watch);
                } else {
                    cut.push(watch);
                }
            }
            let next = watched.by_deadline.keys().next().map(|(instant, _)| *instant);
            watched.alarm = next;
            drop(watched);
            for watch in cut {
                watch.fired.store(true, Ordering::Release);
                watch.lifeline.cut();
            }
            let alarm = match next {
                Some(instant) => clock.at(instant),
                None => never(),
            };
            select! {
                recv(woken) -> _ => {}
                recv(alarm) -> _ => {}
            }
        }
    }

    fn wake(&self) {
        // A full channel means that it will wake anyway.
        let _ = self.wake.try_send(());
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;
    use std::time::Duration;
    use zc_events_protocol::ManualClock;

    fn pair() -> (TcpStream, Arc<Lifeline>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        (theirs, Arc::new(Lifeline::new(ours)))
    }

    #[test]
    fn a_passed_deadline_cuts_and_a_dropped_guard_does_not() {
        let clock = ManualClock::new();
        let dog = Watchdog::start(Arc::new(clock.clone())).unwrap();
        let (mut cut_peer, cut) = pair();
        let (mut kept_peer, kept) = pair();
        let (mut later_peer, later) = pair();
        let guard = dog.watch(&cut, clock.deadline(Duration::from_secs(5)));
        drop(dog.watch(&kept, clock.deadline(Duration::from_secs(1))));
        let far = dog.watch(&later, clock.deadline(Duration::from_secs(60)));
        clock.advance(Duration::from_secs(6));
        assert_eq!(cut_peer.read(&mut [0; 1]).unwrap(), 0);
        assert!(guard.has_fired());
        assert!(!far.has_fired());
        for peer in [&mut kept_peer, &mut later_peer] {
            peer.set_nonblocking(true).unwrap();
            assert_eq!(peer.read(&mut [0; 1]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        }
    }

    #[test]
    fn a_patient_watch_waits_for_its_gate_and_then_for_the_answer() {
        let clock = ManualClock::new();
        let dog = Watchdog::start(Arc::new(clock.clone())).unwrap();
        let (mut peer, lifeline) = pair();
        let gate = Arc::new(Gate::default());
        gate.shut("low on memory".into(), clock.now());
        let guard = dog.watch_patiently(&lifeline, clock.deadline(AGAIN), &gate);
        // Once shut, and once just opened.
        for _ in 0..2 {
            clock.advance(AGAIN);
            while dog.shared.lock().alarm.is_none_or(|alarm| alarm <= clock.now()) {
                thread::yield_now();
            }
            assert!(!guard.has_fired());
            gate.open();
        }
        clock.advance(AGAIN);
        assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
        assert!(guard.has_fired());
        drop(guard);
        assert!(dog.shared.lock().by_deadline.is_empty());

        let (_peer, lifeline) = pair();
        gate.shut("low on disk".into(), clock.now());
        let answered = dog.watch_patiently(&lifeline, clock.deadline(AGAIN), &gate);
        clock.advance(AGAIN);
        while dog.shared.lock().alarm.is_none_or(|alarm| alarm <= clock.now()) {
            thread::yield_now();
        }
        drop(answered);
        assert!(dog.shared.lock().by_deadline.is_empty());
    }

    #[test]
    fn a_new_watch_with_an_earlier_deadline_is_not_missed() {
        let clock = ManualClock::new();
        let dog = Watchdog::start(Arc::new(clock.clone())).unwrap();
        let (mut peer, lifeline) = pair();
        let _late = dog.watch(&lifeline, clock.deadline(Duration::from_secs(60)));
        let early = dog.watch(&lifeline, clock.deadline(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(2));
        assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
        assert!(early.has_fired());
    }
}
