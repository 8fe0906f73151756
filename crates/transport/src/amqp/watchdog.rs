//! The end of every blocking call: amiquip has no timeouts, so a thread shuts the socket
//! down at the deadline, which ends whatever call was blocked on it. One thread for a
//! broker, not one per call; it sleeps until the nearest deadline.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded, never, select};
use zc_events_protocol::{Clock, Deadline};

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
}

/// Watches until it is dropped.
pub(super) struct Guard<'a> {
    shared: &'a Shared,
    key: (Instant, u64),
    fired: Arc<AtomicBool>,
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
        let fired = Arc::new(AtomicBool::new(false));
        let mut watched = self.shared.lock();
        let key = (deadline.instant(), watched.next_id);
        watched.next_id += 1;
        let watch = Watch { lifeline: Arc::clone(lifeline), fired: Arc::clone(&fired) };
        watched.by_deadline.insert(key, watch);
        if watched.alarm.is_none_or(|alarm| key.0 < alarm) {
            watched.alarm = Some(key.0);
            self.shared.wake();
        }
        drop(watched);
        Guard { shared: &self.shared, key, fired }
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
        self.shared.lock().by_deadline.remove(&self.key);
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
            let next = watched.by_deadline.keys().next().map(|(instant, _)| *instant);
            watched.alarm = next;
            drop(watched);
            for watch in due.into_values() {
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
