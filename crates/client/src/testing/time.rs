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

    /// Whether the test itself waits for something that time may bring.
    fn is_awaited(&self) -> bool {
        let waiting = self.all_waiting();
        let handler_waits = waiting.iter().any(|waiting| waiting.in_handler);
        // A service that stops needs no time, unless its handlers do.
        waiting.iter().any(|waiting| !waiting.in_handler && (waiting.what != Wait::Stop || handler_waits))
    }

    /// Moves the time on to the next moment at which something may happen, but not beyond `last`. `false` where nothing
    /// may happen by then.
    fn step(&self, last: Option<Instant>) -> bool {
        let now = self.clock.now();
        // Not the clock's alarms alone: somebody may be about to set one.
        let waits = self.all_waiting().into_iter().map(|waiting| waiting.deadline.instant());
        let lanes = self.services().into_iter().filter_map(|service| service.look()).flat_map(|sight| sight.lanes);
        let held = lanes.filter_map(|lane| lane.next_due);
        let stub = self.stub().and_then(|stub| stub.next_due());
        let alarms = [self.clock.next_alarm(), self.broker.next_change(), stub];
        let next = waits.chain(held).chain(alarms.into_iter().flatten()).filter(|next| *next > now).min();
        let next = next.filter(|next| last.is_none_or(|last| *next <= last));
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
        let for_room = || waiting.iter().filter(|waiting| waiting.what == Wait::Room);
        if for_room().count() != self.broker.waiting_to_send() {
            return Err("somebody is about to send a message".to_owned());
        }
        let blocked_handlers = for_room().filter(|waiting| waiting.in_handler).count();
        let (mut under_way, mut lost) = (0, 0);
        for sight in self.services().iter().filter_map(Observed::look) {
            under_way += sight.lanes.iter().map(|lane| lane.under_way).sum::<usize>();
            lost += self.look_at(&sight, now)?;
        }
        if lost > waiting.iter().filter(|waiting| waiting.what == Wait::Pause).count() {
            return Err("a service comes back".to_owned());
        }
        if under_way > waiting_handlers + blocked_handlers {
            let running = under_way - waiting_handlers - blocked_handlers;
            return Err(format!("{running} handlers run and wait for nothing that this test could bring"));
        }
        self.stub().map_or(Ok(()), |stub| stub.rest(&self.broker, now))
    }

    /// How many queues of a service that should be consumed are not, where all messages of the others have come to rest.
    fn look_at(&self, sight: &Sight, now: Instant) -> Result<usize, String> {
        let (mut accounted, mut unacked, mut lost) = (sight.parked, 0, 0);
        for lane in &sight.lanes {
            let queue = &lane.queue;
            if self.broker.consumers(queue) == 0 {
                if lane.is_consuming {
                    return Err(format!("service `{}` has yet to notice that `{queue}` is lost", sight.service));
                }
                lost += usize::from(!sight.is_stopping);
                continue;
            }
            if lane.next_due.is_some_and(|due| due <= now) {
                return Err(format!("a message of `{queue}` that was held back is due"));
            }
            let out = self.broker.unacked(queue).unwrap_or(0);
            if out < lane.prefetch && self.broker.queue_len(queue).unwrap_or(0) > 0 {
                return Err(format!("messages are ready in `{queue}`"));
            }
            accounted += lane.current + lane.held;
            unacked += out;
        }
        if unacked > accounted {
            return Err(format!("messages are on their way to the workers of service `{}`", sight.service));
        }
        Ok(lost)
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
        self.settle()?;
        while self.step(Some(target)) {
            self.settle()?;
        }
        self.clock.advance(target.saturating_duration_since(self.clock.now()));
        self.settle()
    }

    /// Waits until it is so, and lets time pass whenever it is not and nothing else is to be done.
    ///
    /// # Errors
    /// It is not so in a day of the test's time, or in a time that no test should take.
    pub(super) fn until(&self, condition: impl Fn() -> bool) -> Result<(), String> {
        const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let (started, last) = (Instant::now(), self.clock.deadline(A_DAY).instant());
        loop {
            // First: time stands still between this and the question.
            let rest = self.rest();
            if condition() {
                return Ok(());
            }
            match rest {
                Ok(()) if self.step(Some(last)) => {}
                Ok(()) => {
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
        let Some(stub) = self.stub() else { return };
        let started = Instant::now();
        while stub.rest(&self.broker, self.clock.now()).is_err() && started.elapsed() < PATIENCE {
            thread::sleep(PAUSE);
        }
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
                world.step(None);
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
