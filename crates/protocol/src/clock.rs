//! The clock. Every wait, expiry and backoff of the workspace uses a [`Clock`], so that tests control the time. No
//! other code reads the system time.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded, select_biased};

/// Longer than any wait, and still representable.
const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);

/// The time by which a call must end. All layers share it: a call that waits three times waits for the remaining time
/// each time.
///
/// ```
/// use std::time::Duration;
/// use zc_events_protocol::{Clock, SystemClock};
/// let clock = SystemClock;
/// let deadline = clock.deadline(Duration::from_secs(5));
/// assert!(deadline.remaining(&clock) <= Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline at `instant`.
    #[must_use]
    pub fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// The deadline as an instant.
    #[must_use]
    pub fn instant(self) -> Instant {
        self.0
    }

    /// The remaining time; zero after the deadline.
    #[must_use]
    pub fn remaining(self, clock: &dyn Clock) -> Duration {
        self.0.saturating_duration_since(clock.now())
    }

    /// Whether the deadline has passed.
    #[must_use]
    pub fn has_passed(self, clock: &dyn Clock) -> bool {
        clock.now() >= self.0
    }
}

/// A source of time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The monotonic time, for deadlines and backoff.
    fn now(&self) -> Instant;

    /// The wall clock time, for `eta`, `expires` and timestamps.
    fn wall(&self) -> SystemTime;

    /// A channel that receives one message at `instant`, for use in a `select!`.
    fn at(&self, instant: Instant) -> Receiver<Instant>;

    /// The deadline at `after` from now, at most 30 years.
    fn deadline(&self, after: Duration) -> Deadline {
        let now = self.now();
        Deadline(now.checked_add(after.min(FAR)).unwrap_or(now))
    }
}

/// Receives from `receiver` until `deadline`. A message that is already there is received even after the deadline.
///
/// # Errors
/// `Timeout` at the deadline, `Disconnected` when all senders are gone.
pub fn receive<T>(clock: &dyn Clock, receiver: &Receiver<T>, deadline: Deadline) -> Result<T, RecvTimeoutError> {
    match receiver.try_recv() {
        Ok(message) => return Ok(message),
        Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
        Err(TryRecvError::Empty) => {}
    }
    let alarm = clock.at(deadline.instant());
    select_biased! {
        recv(receiver) -> message => message.map_err(|_| RecvTimeoutError::Disconnected),
        recv(alarm) -> _ => Err(RecvTimeoutError::Timeout),
    }
}

/// As [`receive`], and also ends with `Timeout` as soon as `interrupt` has a message or loses its last sender.
///
/// # Errors
/// As for [`receive`].
pub fn receive_unless<T>(
    clock: &dyn Clock,
    receiver: &Receiver<T>,
    interrupt: &Receiver<()>,
    deadline: Deadline,
) -> Result<T, RecvTimeoutError> {
    let alarm = clock.at(deadline.instant());
    select_biased! {
        recv(receiver) -> message => message.map_err(|_| RecvTimeoutError::Disconnected),
        recv(interrupt) -> _ => Err(RecvTimeoutError::Timeout),
        recv(alarm) -> _ => Err(RecvTimeoutError::Timeout),
    }
}

/// Waits until `deadline`, or until `interrupt` has a message or loses its last sender. True if it waited until the
/// deadline.
pub fn pause(clock: &dyn Clock, deadline: Deadline, interrupt: &Receiver<()>) -> bool {
    matches!(receive(clock, interrupt, deadline), Err(RecvTimeoutError::Timeout))
}

/// The clock of the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn at(&self, instant: Instant) -> Receiver<Instant> {
        crossbeam_channel::at(instant)
    }
}

/// A clock that a test moves. Clones share the time.
///
/// ```
/// use std::time::Duration;
/// use zc_events_protocol::{Clock, ManualClock};
/// let clock = ManualClock::new();
/// let deadline = clock.deadline(Duration::from_secs(60));
/// clock.advance(Duration::from_secs(61));
/// assert!(deadline.has_passed(&clock));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Manual>>);

#[derive(Debug)]
struct Manual {
    now: Instant,
    wall: SystemTime,
    alarms: Vec<(Instant, Sender<Instant>)>,
}

impl ManualClock {
    /// A clock that stands still at the current time.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Manual { now: Instant::now(), wall: SystemTime::now(), alarms: Vec::new() })))
    }

    /// Moves the time forward and wakes all threads whose time has come.
    pub fn advance(&self, by: Duration) {
        let mut manual = self.lock();
        manual.now += by;
        manual.wall += by;
        let now = manual.now;
        manual.alarms.retain(|(when, sender)| {
            let due = *when <= now;
            if due {
                // The receiver may be gone already.
                let _ = sender.try_send(now);
            }
            !due
        });
    }

    /// Moves the time forward to `instant`. Does nothing if that time has passed.
    pub fn advance_to(&self, instant: Instant) {
        let by = instant.saturating_duration_since(self.now());
        if !by.is_zero() {
            self.advance(by);
        }
    }

    /// The earliest time for which a thread waits; `None` if no thread waits. The thread may have stopped waiting
    /// since.
    #[must_use]
    pub fn next_alarm(&self) -> Option<Instant> {
        self.lock().alarms.iter().map(|(when, _)| *when).min()
    }

    fn lock(&self) -> MutexGuard<'_, Manual> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.lock().now
    }

    fn wall(&self) -> SystemTime {
        self.lock().wall
    }

    fn at(&self, instant: Instant) -> Receiver<Instant> {
        let (sender, receiver) = bounded(1);
        let mut manual = self.lock();
        if instant <= manual.now {
            let _ = sender.try_send(manual.now);
        } else {
            manual.alarms.push((instant, sender));
        }
        receiver
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::unbounded;
    use std::thread;

    #[test]
    fn a_manual_clock_ends_a_wait_only_when_moved() {
        let clock = ManualClock::new();
        let (sender, receiver) = unbounded::<()>();
        let deadline = clock.deadline(Duration::from_secs(3600));
        let waiting = thread::spawn({
            let clock = clock.clone();
            move || receive(&clock, &receiver, deadline)
        });
        while clock.lock().alarms.is_empty() {
            thread::yield_now();
        }
        assert!(!waiting.is_finished());
        clock.advance(Duration::from_secs(3600));
        assert_eq!(waiting.join().unwrap(), Err(RecvTimeoutError::Timeout));
        drop(sender);
    }

    #[test]
    fn what_is_there_is_received_after_the_deadline() {
        let clock = ManualClock::new();
        let (sender, receiver) = unbounded();
        sender.send(7).unwrap();
        let past = clock.deadline(Duration::ZERO);
        assert_eq!(receive(&clock, &receiver, past), Ok(7));
        assert_eq!(receive(&clock, &receiver, past), Err(RecvTimeoutError::Timeout));
    }

    #[test]
    fn a_pause_ends_early_when_interrupted() {
        let (sender, interrupt) = unbounded();
        sender.send(()).unwrap();
        assert!(!pause(&SystemClock, SystemClock.deadline(Duration::from_secs(60)), &interrupt));
        assert!(pause(&SystemClock, SystemClock.deadline(Duration::from_millis(1)), &interrupt));
    }

    #[test]
    fn the_next_alarm_is_the_earliest_that_is_still_to_come() {
        let clock = ManualClock::new();
        assert_eq!(clock.next_alarm(), None);
        let start = clock.now();
        let second = Duration::from_secs(1);
        let _alarms = [clock.at(start + 2 * second), clock.at(start + second), clock.at(start)];
        assert_eq!(clock.next_alarm(), Some(start + second));
        clock.advance(second);
        assert_eq!(clock.next_alarm(), Some(start + 2 * second));
    }

    #[test]
    fn no_duration_overflows() {
        assert!(!SystemClock.deadline(Duration::MAX).has_passed(&SystemClock));
    }
}
