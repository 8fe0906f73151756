//! Moves the clock of a fleet: when the test asks for it, and while the test waits and no other work is left.
//! `quiescence` decides whether work is left.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use zc_events_protocol::Clock;

use crate::harness::{Harness, WaitReason};

/// How long, by the real clock, work may go on without any progress.
const PATIENCE: Duration = Duration::from_secs(20);
/// The same while the test only waits for a service to stop: its handlers may never end.
const STOP_PATIENCE: Duration = Duration::from_secs(2);
/// How many times its patience a wait may take in all.
const LONGEST: u32 = 6;
/// Between two checks.
const PAUSE: Duration = Duration::from_micros(50);

/// The end of a wait by the real clock. The time starts anew with each report of a client or a service, so that a slow
/// machine does not end the wait.
struct Patience {
    started: Instant,
    last_progress: Instant,
    reports: u64,
}

impl Patience {
    fn new(harness: &Harness) -> Self {
        Self::starting(Instant::now(), harness.reports())
    }

    fn starting(now: Instant, reports: u64) -> Self {
        Self { started: now, last_progress: now, reports }
    }

    fn is_over(&mut self, harness: &Harness, patience: Duration) -> bool {
        self.is_over_at(Instant::now(), harness.reports(), patience)
    }

    fn is_over_at(&mut self, now: Instant, reports: u64, patience: Duration) -> bool {
        if reports != self.reports {
            (self.reports, self.last_progress) = (reports, now);
        }
        now - self.last_progress > patience || now - self.started > patience * LONGEST
    }

    /// How long the wait took, for an error.
    fn waited(&self) -> String {
        format!("{} s", self.started.elapsed().as_secs())
    }
}

impl Harness {
    /// Starts the thread that moves the clock while the test waits. It ends with the harness.
    pub(crate) fn start_clock_thread(harness: &Arc<Self>, wakes: Receiver<()>) -> std::io::Result<()> {
        let harness = Arc::downgrade(harness);
        let run = move || while wakes.recv().is_ok() && move_clock_while_test_waits(&harness) {};
        thread::Builder::new().name("zc-events-test-clock".to_owned()).spawn(run).map(drop)
    }

    /// Moves the clock to the next moment at which something may happen, but not beyond `last`, if no work is left and
    /// `may_move` holds then. Returns whether the clock moved.
    ///
    /// # Errors
    /// The work that is left.
    fn move_clock(&self, last: Option<Instant>, may_move: impl FnOnce() -> bool) -> Result<bool, String> {
        let _lock = self.lock_clock();
        self.check_quiescent()?;
        Ok(may_move() && self.move_to_next_moment(last))
    }

    fn move_to_next_moment(&self, last: Option<Instant>) -> bool {
        let now = self.clock.now();
        // The alarms of the clock are not enough: a thread may be about to set one.
        let deadlines = self.waiting().into_iter().map(|thread| thread.deadline.instant());
        let services = self.services().into_iter().filter_map(|service| service.snapshot());
        let scheduled = services.flat_map(|service| service.queues).filter_map(|queue| queue.next_due);
        let reply = self.stub().and_then(|stub| stub.next_due());
        let alarms = [self.clock.next_alarm(), self.broker.next_change(), reply];
        let moments = deadlines.chain(scheduled).chain(alarms.into_iter().flatten());
        let next = moments.filter(|moment| *moment > now).min();
        let next = next.filter(|next| last.is_none_or(|last| *next <= last));
        if let Some(next) = next {
            self.clock.advance_to(next);
        }
        next.is_some()
    }

    /// Moves the clock to the first deadline of the test.
    fn move_to_deadline_of_test(&self) {
        let _lock = self.lock_clock();
        let of_test = self.waiting().into_iter().filter(|thread| thread.is_of_test());
        if let Some(first) = of_test.map(|thread| thread.deadline.instant()).min() {
            self.clock.advance_to(first);
        }
    }

    /// Waits until no work is left now.
    ///
    /// # Errors
    /// The work that is left when patience is over.
    pub(crate) fn settle(&self) -> Result<(), String> {
        let mut patience = Patience::new(self);
        loop {
            match self.check_quiescent() {
                Ok(()) => return Ok(()),
                Err(left) if patience.is_over(self, PATIENCE) => {
                    return Err(format!("the fleet has not settled after {}: {left}", patience.waited()));
                }
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    /// Moves the clock by this time, step by step, so that each thing happens when it is due.
    ///
    /// # Errors
    /// As for [`Harness::settle`].
    pub(crate) fn advance(&self, by: Duration) -> Result<(), String> {
        let target = self.clock.deadline(by).instant();
        self.settle()?;
        while self.move_clock(Some(target), || true).unwrap_or(true) {
            self.settle()?;
        }
        self.clock.advance_to(target);
        self.settle()
    }

    /// Waits until the condition holds, and moves the clock whenever it does not hold and no work is left.
    ///
    /// # Errors
    /// The condition does not hold within a day of the test's time, or patience is over.
    pub(crate) fn until(&self, condition: impl Fn() -> bool) -> Result<(), String> {
        const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let (mut patience, last) = (Patience::new(self), self.clock.deadline(A_DAY).instant());
        loop {
            // The condition is checked while the clock stands still and no work is left.
            let moved = self.move_clock(Some(last), || !condition());
            if moved == Ok(true) {
                continue;
            }
            if condition() {
                return Ok(());
            }
            match moved {
                Ok(_) => {
                    let text = "the condition did not hold within a day of the test's time, and no work is left";
                    return Err(text.to_owned());
                }
                Err(left) if patience.is_over(self, PATIENCE) => {
                    return Err(format!("the condition does not hold after {}: {left}", patience.waited()));
                }
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    /// Waits until the stub has nothing to do, so that it answers by the services that run now.
    pub(crate) fn settle_stub(&self) {
        let started = Instant::now();
        let check = |stub: Arc<crate::stub_queue::StubQueue>| stub.check_quiescent(&self.broker, self.clock.now());
        while self.stub().is_some_and(|stub| check(stub).is_err()) && started.elapsed() < PATIENCE {
            thread::sleep(PAUSE);
        }
    }
}

/// Moves the clock until the test does not wait any more. Returns `false` if the harness is gone.
fn move_clock_while_test_waits(harness: &Weak<Harness>) -> bool {
    let mut patience = None;
    loop {
        let Some(harness) = harness.upgrade() else { return false };
        let waits = harness.waits_of_test();
        if waits.is_empty() {
            return true;
        }
        let is_stop = waits.iter().all(|(_, reason)| *reason == WaitReason::Stop);
        // If none of these waits is left once no work is left, the test goes on.
        let may_move = || {
            // A service that stops needs no time, unless one of its handlers waits.
            let needs_time = !is_stop || harness.waiting().iter().any(|thread| thread.message.is_some());
            needs_time && harness.waits_of_test().iter().any(|wait| waits.contains(wait))
        };
        let moved = harness.move_clock(None, may_move);
        let limit = if is_stop { STOP_PATIENCE } else { PATIENCE };
        if moved == Ok(true) {
            patience = None;
        } else if patience.get_or_insert_with(|| Patience::new(&harness)).is_over(&harness, limit) {
            log::warn!("the test waits, and nothing happens; its deadline is brought forward: {moved:?}");
            harness.move_to_deadline_of_test();
            patience = None;
        }
        drop(harness);
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn patience_is_over_when_nothing_is_reported() {
        let start = Instant::now();
        let mut patience = Patience::starting(start, 7);
        assert!(!patience.is_over_at(start + 20 * SECOND, 7, PATIENCE));
        assert!(patience.is_over_at(start + 21 * SECOND, 7, PATIENCE));
    }

    #[test]
    fn a_report_renews_patience_up_to_a_limit() {
        let start = Instant::now();
        let mut patience = Patience::starting(start, 7);
        for number in 1..=8 {
            assert!(!patience.is_over_at(start + number * 15 * SECOND, 7 + u64::from(number), PATIENCE), "{number}");
        }
        assert!(patience.is_over_at(start + 121 * SECOND, 16, PATIENCE));
    }
}
