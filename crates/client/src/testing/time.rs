//! When time passes in a test: when the test says so, and while the test itself waits and nothing else is to be done.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use zc_events_protocol::Clock;

use super::world::{Wait, World};
use crate::service::{Observed, Sight};

/// How long, by the real clock, things may take to come to rest.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const PAUSE: Duration = Duration::from_micros(50);

impl World {
    /// Starts the thread that lets time pass while the test waits. It ends with the world.
    pub(super) fn keep_time(world: &Arc<Self>, bell: Receiver<()>) -> std::io::Result<()> {
        let world = Arc::downgrade(world);
        let run = move || while bell.recv().is_ok() && let_time_pass(&world) {};
        thread::Builder::new().name("zc-events-test-clock".to_owned()).spawn(run).map(drop)
    }

    /// Whether the test itself waits.
    fn is_awaited(&self) -> bool {
        self.all_waiting().iter().any(|waiting| !waiting.in_handler)
    }

    /// Moves the time on to the next moment at which something may happen, if there is one.
    fn step(&self) -> bool {
        let now = self.clock.now();
        let next = self.clock.next_alarm().filter(|next| *next > now);
        if let Some(next) = next {
            self.clock.advance(next - now);
        }
        next.is_some()
    }

    /// Moves the time on to where the first wait of the test ends.
    fn bring_on_deadline(&self) {
        let of_test = self.all_waiting().into_iter().filter(|waiting| !waiting.in_handler);
        if let Some(first) = of_test.map(|waiting| waiting.deadline.instant()).min() {
            self.clock.advance(first.saturating_duration_since(self.clock.now()));
        }
    }

    /// Whether nothing is left to do at this moment; else what is.
    pub(super) fn rest(&self) -> Result<(), String> {
        self.look()?;
        // Once more: a message may have been on its way from one place to another.
        thread::yield_now();
        self.look()
    }

    fn look(&self) -> Result<(), String> {
        let now = self.clock.now();
        let waiting = self.all_waiting();
        if waiting.iter().any(|waiting| waiting.deadline.instant() <= now) {
            return Err("somebody's deadline has passed and he has yet to notice".to_owned());
        }
        let for_answers = || waiting.iter().filter(|waiting| waiting.what == Wait::Answer);
        let waiting_handlers = for_answers().filter(|waiting| waiting.in_handler).count();
        if for_answers().count() != self.store.waiting() {
            return Err("an answer is on its way to whoever waits for it".to_owned());
        }
        // Whoever waits for room has entered himself, unless he works for a service.
        let test_sends = waiting.iter().filter(|waiting| waiting.what == Wait::Room && !waiting.in_handler).count();
        let blocked_handlers = self.broker.waiting_to_send().saturating_sub(test_sends);
        let mut under_way = 0;
        for sight in self.services().iter().filter_map(Observed::look) {
            under_way += self.look_at(&sight, now)?;
        }
        if under_way > waiting_handlers + blocked_handlers {
            let running = under_way - waiting_handlers - blocked_handlers;
            return Err(format!("{running} handlers run and wait for nothing that this test could bring"));
        }
        self.stub().map_or(Ok(()), |stub| stub.rest(&self.broker, now))
    }

    /// How many messages of a service are with its handlers, where all others have come to rest.
    fn look_at(&self, sight: &Sight, now: Instant) -> Result<usize, String> {
        let (mut under_way, mut held, mut unacked) = (0, 0, 0);
        for lane in &sight.lanes {
            let queue = &lane.queue;
            if self.broker.consumers(queue) == 0 {
                if lane.is_consuming {
                    return Err(format!("service `{}` has yet to notice that `{queue}` is lost", sight.service));
                }
                // It comes back when its time has come.
                continue;
            }
            if lane.next_due.is_some_and(|due| due <= now) {
                return Err(format!("a message of `{queue}` that was held back is due"));
            }
            let out = self.broker.unacked(queue).unwrap_or(0);
            if out < lane.prefetch && self.broker.queue_len(queue).unwrap_or(0) > 0 {
                return Err(format!("messages are ready in `{queue}`"));
            }
            under_way += lane.under_way;
            held += lane.held;
            unacked += out;
        }
        if unacked > under_way + held + sight.parked {
            return Err(format!("messages are on their way to the workers of service `{}`", sight.service));
        }
        Ok(under_way)
    }

    /// Waits until nothing is left to do at this moment.
    ///
    /// # Errors
    /// That takes longer than any test should; the text says what is left.
    pub(super) fn settle(&self) -> Result<(), String> {
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
    pub(super) fn advance(&self, by: Duration) -> Result<(), String> {
        let target = self.clock.deadline(by).instant();
        loop {
            self.settle()?;
            let now = self.clock.now();
            match self.clock.next_alarm() {
                Some(next) if next < target && next > now => self.clock.advance(next - now),
                _ => break,
            }
        }
        self.clock.advance(target.saturating_duration_since(self.clock.now()));
        self.settle()
    }

    /// Waits until it is so, and lets time pass meanwhile whenever nothing else is to be done.
    ///
    /// # Errors
    /// It is not so in a day of the test's time, or in a time that no test should take.
    pub(super) fn until(&self, condition: impl Fn() -> bool) -> Result<(), String> {
        const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let (started, deadline) = (Instant::now(), self.clock.deadline(A_DAY));
        // A little longer, so that nobody takes it for a wait that has ended.
        let last = self.clock.deadline(A_DAY * 2);
        self.waiting(Wait::Stop, false, last, || {
            loop {
                if condition() {
                    return Ok(());
                }
                let left = self.rest().err().unwrap_or_else(|| "nothing is left to do".to_owned());
                if deadline.has_passed(&self.clock) {
                    return Err(format!("it did not become so in a day of the test's time; {left}"));
                }
                if started.elapsed() > PATIENCE {
                    return Err(format!("it did not become so within {PATIENCE:?}; {left}"));
                }
                thread::sleep(PAUSE);
            }
        })
    }
}

/// Lets time pass until the test does not wait any more. `false` where the world is gone.
fn let_time_pass(world: &Weak<World>) -> bool {
    let mut busy_since = Instant::now();
    loop {
        let Some(world) = world.upgrade() else { return false };
        if !world.is_awaited() {
            return true;
        }
        match world.rest() {
            Ok(()) => {
                world.step();
                busy_since = Instant::now();
            }
            Err(what) if busy_since.elapsed() > PATIENCE => {
                log::warn!("a test waits, and its deadline is brought on though not all is at rest: {what}");
                world.bring_on_deadline();
                busy_since = Instant::now();
            }
            Err(_) => {}
        }
        drop(world);
        thread::sleep(PAUSE);
    }
}
