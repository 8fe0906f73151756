//! When time passes in a test: when the test says so, and while the test itself waits and nothing else is left to do.
//! What is left to do is seen in `rest`.

use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use zc_events_protocol::Clock;

use crate::harness::{WaitedFor, World};

/// How long, by the real clock, things may take to come to rest.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The same where a service stops: its handlers may be such as never end.
const STOPPING: Duration = Duration::from_secs(2);
/// Between two looks.
const PAUSE: Duration = Duration::from_micros(50);

impl World {
    /// Starts the thread that lets time pass while the test waits. It ends with the world.
    pub(crate) fn keep_time(world: &Arc<Self>, bell: Receiver<()>) -> std::io::Result<()> {
        let world = Arc::downgrade(world);
        let run = move || while bell.recv().is_ok() && let_time_pass(&world) {};
        thread::Builder::new().name("zc-events-test-clock".to_owned()).spawn(run).map(drop)
    }

    /// Moves the time on to the next moment at which something may happen, but not beyond `last`: where nothing is left
    /// to do at this moment, and that `is_to` still holds then. Whether it has moved.
    ///
    /// # Errors
    /// What is left to do.
    fn move_on(&self, last: Option<Instant>, is_to: impl FnOnce() -> bool) -> Result<bool, String> {
        let _moving = self.moving();
        self.rest()?;
        Ok(is_to() && self.step(last))
    }

    fn step(&self, last: Option<Instant>) -> bool {
        let now = self.clock.now();
        // Not the clock's alarms alone: somebody may be about to set one.
        let waits = self.all_waiting().into_iter().map(|waiting| waiting.deadline.instant());
        let lanes = self.services().into_iter().filter_map(|service| service.snapshot()).flat_map(|seen| seen.queues);
        let held = lanes.filter_map(|lane| lane.next_due);
        let stub = self.stub().and_then(|stub| stub.next_due());
        let alarms = [self.clock.next_alarm(), self.broker.next_change(), stub];
        let next = waits.chain(held).chain(alarms.into_iter().flatten()).filter(|next| *next > now).min();
        let next = next.filter(|next| last.is_none_or(|last| *next <= last));
        if let Some(next) = next {
            self.clock.advance_to(next);
        }
        next.is_some()
    }

    /// Moves the time on to where the first wait of the test ends.
    fn bring_on_deadline(&self) {
        let _moving = self.moving();
        let of_test = self.all_waiting().into_iter().filter(|waiting| waiting.is_the_tests());
        if let Some(first) = of_test.map(|waiting| waiting.deadline.instant()).min() {
            self.clock.advance_to(first);
        }
    }

    fn moving(&self) -> MutexGuard<'_, ()> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nothing is left to do at this moment.
    ///
    /// # Errors
    /// That takes longer than any test should; the text says what is left.
    pub(crate) fn settle(&self) -> Result<(), String> {
        let started = Instant::now();
        loop {
            match self.rest() {
                Ok(()) => return Ok(()),
                Err(what) if started.elapsed() > PATIENCE => {
                    return Err(format!("nothing came to rest within {PATIENCE:?}: {what}"));
                }
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    /// Lets so much time pass, step by step, so that what is due happens when it is due.
    ///
    /// # Errors
    /// As for [`World::settle`].
    pub(crate) fn advance(&self, by: Duration) -> Result<(), String> {
        let target = self.clock.deadline(by).instant();
        self.settle()?;
        while self.move_on(Some(target), || true).unwrap_or(true) {
            self.settle()?;
        }
        self.clock.advance_to(target);
        self.settle()
    }

    /// Waits until it is so, and lets time pass whenever it is not and nothing else is to be done.
    ///
    /// # Errors
    /// It is not so in a day of the test's time, or in a time that no test should take.
    pub(crate) fn until(&self, condition: impl Fn() -> bool) -> Result<(), String> {
        const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let (started, last) = (Instant::now(), self.clock.deadline(A_DAY).instant());
        loop {
            // Asked while time stands still and nothing happens.
            let moved = self.move_on(Some(last), || !condition());
            if moved == Ok(true) {
                continue;
            }
            if condition() {
                return Ok(());
            }
            match moved {
                Ok(_) => {
                    return Err("it did not become so in a day of the test's time; nothing is left to do".to_owned());
                }
                Err(what) if started.elapsed() > PATIENCE => {
                    return Err(format!("it did not become so within {PATIENCE:?}: {what}"));
                }
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    /// Waits until the stand-in for remote services has nothing to do: what it is asked it answers by who is there now.
    pub(crate) fn settle_stub(&self) {
        let started = Instant::now();
        let is_busy = || self.stub().is_some_and(|stub| stub.rest(&self.broker, self.clock.now()).is_err());
        while is_busy() && started.elapsed() < PATIENCE {
            thread::sleep(PAUSE);
        }
    }
}

/// Lets time pass until the test does not wait any more. `false` where the world is gone.
fn let_time_pass(world: &Weak<World>) -> bool {
    let mut stuck_since = Instant::now();
    loop {
        let Some(world) = world.upgrade() else { return false };
        let waits = world.waits_of_test();
        if waits.is_empty() {
            return true;
        }
        let stops_only = waits.iter().all(|(_, what)| *what == WaitedFor::Stop);
        // One of these waits must still be there when all is seen to be at rest: the test goes on otherwise.
        let is_to = || {
            let now = world.waits_of_test();
            // A service that stops needs no time, unless its handlers do.
            let needs_time = !stops_only || world.all_waiting().iter().any(|waiting| waiting.job.is_some());
            needs_time && now.iter().any(|wait| waits.contains(wait))
        };
        let moved = world.move_on(None, is_to);
        let patience = if stops_only { STOPPING } else { PATIENCE };
        if moved == Ok(true) {
            stuck_since = Instant::now();
        } else if stuck_since.elapsed() > patience {
            log::warn!("a test waits for something that does not come; its deadline is brought on: {moved:?}");
            world.bring_on_deadline();
            stuck_since = Instant::now();
        }
        drop(world);
        thread::sleep(PAUSE);
    }
}
