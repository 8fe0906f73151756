//! Ends blocking calls at their deadline. amiquip has no timeouts, so a thread shuts the socket down at the deadline,
//! which ends the call that blocks on it. Each broker has one such thread. It sleeps until the nearest deadline.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, never, select};
use zc_events_protocol::{Clock, Deadline};

use crate::flow_control::FlowControl;

/// How long a patient watch waits until it checks again whether the broker blocks the connection, and how long the
/// broker then has to answer.
const RECHECK: Duration = Duration::from_secs(5);

/// A second handle of a connection's socket. While it exists the peer does not see the connection end, so the owner of
/// the connection cuts it at the end.
#[derive(Debug)]
pub(super) struct SocketHandle {
    stream: TcpStream,
    cut: AtomicBool,
}

impl SocketHandle {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, cut: AtomicBool::new(false) }
    }

    /// Ends the connection at once, in both directions.
    pub(super) fn cut(&self) {
        if !self.cut.swap(true, Ordering::AcqRel) {
            // It fails only if the connection has ended already.
            let _ = self.stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for SocketHandle {
    fn drop(&mut self) {
        self.cut();
    }
}

/// Cuts sockets whose deadline passes while they are watched.
pub(super) struct Watchdog {
    shared: Arc<WatchdogShared>,
}

struct WatchdogShared {
    watched: Mutex<WatchdogState>,
    wake: Sender<()>,
}

#[derive(Default)]
struct WatchdogState {
    next_id: u64,
    /// When the thread will check next. It is woken only for an earlier deadline, which does not happen in a steady run
    /// of calls with the same timeout.
    alarm: Option<Instant>,
    by_deadline: BTreeMap<(Instant, u64), WatchedSocket>,
    closed: bool,
}

struct WatchedSocket {
    socket_handle: Arc<SocketHandle>,
    fired: Arc<AtomicBool>,
    patience: Option<Patience>,
}

/// A reason not to cut at the deadline.
struct Patience {
    /// While it is blocked, the broker reads nothing and answers nothing.
    flow_control: Arc<FlowControl>,
    /// Whether it was blocked at the last check.
    was_blocked: bool,
}

/// Watches until it is dropped.
pub(super) struct Guard<'a> {
    shared: &'a WatchdogShared,
    key: (Instant, u64),
    fired: Arc<AtomicBool>,
    is_patient: bool,
}

impl Watchdog {
    pub(super) fn start(clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let (wake, woken) = bounded(1);
        let shared = Arc::new(WatchdogShared { watched: Mutex::default(), wake });
        thread::Builder::new().name("zc-events-watchdog".into()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run(&*clock, &woken)
        })?;
        Ok(Self { shared })
    }

    /// Cuts `socket_handle` at the deadline, unless the guard was dropped before.
    pub(super) fn watch(&self, socket_handle: &Arc<SocketHandle>, deadline: Deadline) -> Guard<'_> {
        self.watch_with(socket_handle, deadline, None)
    }

    /// [`Watchdog::watch`], which does not cut while `flow_control` is blocked, nor within [`RECHECK`] afterwards, so
    /// that the broker has time to answer. For calls that no caller waits for.
    pub(super) fn watch_patiently(
        &self,
        socket_handle: &Arc<SocketHandle>,
        deadline: Deadline,
        flow_control: &Arc<FlowControl>,
    ) -> Guard<'_> {
        self.watch_with(
            socket_handle,
            deadline,
            Some(Patience { flow_control: Arc::clone(flow_control), was_blocked: false }),
        )
    }

    fn watch_with(
        &self,
        socket_handle: &Arc<SocketHandle>,
        deadline: Deadline,
        patience: Option<Patience>,
    ) -> Guard<'_> {
        let is_patient = patience.is_some();
        let fired = Arc::new(AtomicBool::new(false));
        let mut watched = self.shared.lock();
        let key = (deadline.instant(), watched.next_id);
        watched.next_id += 1;
        let watch = WatchedSocket { socket_handle: Arc::clone(socket_handle), fired: Arc::clone(&fired), patience };
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
    /// Whether the deadline has passed, and the socket has been cut.
    pub(super) fn has_fired(&self) -> bool {
        self.fired.load(Ordering::Acquire)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let mut watched = self.shared.lock();
        let found = watched.by_deadline.remove(&self.key);
        if found.is_none() && self.is_patient {
            // Its deadline may have been extended.
            watched.by_deadline.retain(|(_, id), _| *id != self.key.1);
        }
    }
}

impl WatchedSocket {
    /// Whether to wait longer. Called at the deadline.
    fn extends(&mut self) -> bool {
        let Some(patience) = &mut self.patience else { return false };
        let is_blocked = patience.flow_control.blocked().is_some();
        std::mem::replace(&mut patience.was_blocked, is_blocked) || is_blocked
    }
}

impl WatchdogShared {
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
                if watch.extends() {
                    watched.by_deadline.insert((now + RECHECK, id), watch);
                } else {
                    cut.push(watch);
                }
            }
            let next = watched.by_deadline.keys().next().map(|(instant, _)| *instant);
            watched.alarm = next;
            drop(watched);
            for watch in cut {
                watch.fired.store(true, Ordering::Release);
                watch.socket_handle.cut();
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
        // If the channel is full, the thread will wake anyway.
        let _ = self.wake.try_send(());
    }

    fn lock(&self) -> MutexGuard<'_, WatchdogState> {
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

    fn pair() -> (TcpStream, Arc<SocketHandle>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        (theirs, Arc::new(SocketHandle::new(ours)))
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
    fn a_patient_watch_waits_until_unblocked_and_then_for_the_answer() {
        let clock = ManualClock::new();
        let dog = Watchdog::start(Arc::new(clock.clone())).unwrap();
        let (mut peer, socket_handle) = pair();
        let flow_control = Arc::new(FlowControl::default());
        flow_control.block("low on memory".into(), clock.now());
        let guard = dog.watch_patiently(&socket_handle, clock.deadline(RECHECK), &flow_control);
        // Once while blocked, and once just unblocked.
        for _ in 0..2 {
            clock.advance(RECHECK);
            while dog.shared.lock().alarm.is_none_or(|alarm| alarm <= clock.now()) {
                thread::yield_now();
            }
            assert!(!guard.has_fired());
            flow_control.unblock();
        }
        clock.advance(RECHECK);
        assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
        assert!(guard.has_fired());
        drop(guard);
        assert!(dog.shared.lock().by_deadline.is_empty());

        let (_peer, socket_handle) = pair();
        flow_control.block("low on disk".into(), clock.now());
        let answered = dog.watch_patiently(&socket_handle, clock.deadline(RECHECK), &flow_control);
        clock.advance(RECHECK);
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
        let (mut peer, socket_handle) = pair();
        let _late = dog.watch(&socket_handle, clock.deadline(Duration::from_secs(60)));
        let early = dog.watch(&socket_handle, clock.deadline(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(2));
        assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
        assert!(early.has_fired());
    }
}
