//! The waiting calls for which there is no connection of their own: one thread waits for
//! all their keys on one connection, and hands each value to the call that waits for its key. What
//! the server is asked is in `commands`.
//!
//! One BLPOP over all keys tells of the first answer; while answers come, all keys are looked at
//! with LPOPs in one go, since BLPOP gives one value at a time. Calls that come while a BLPOP is
//! out wake it by a push to a key of this store's own. A call leaves at its deadline by
//! itself, whatever the server does; what is taken for it afterwards is put back.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use r2d2_redis::redis::{RedisError, Value, cmd};
use zc_events_protocol::Deadline;
use zc_events_protocol::clock::{pause, receive};

use super::commands::{BATCH, PATIENCE, SLICE, blpop, found, put_back};
use super::connect::Connector;
use super::link::{Link, Trouble};
use super::watch::Watch;
use super::{WAITING, refusal};
use crate::waiters::{Found, Waiters};
use crate::{Error, Result};

/// How long a push that wakes may take, and how long its token lives.
pub(super) const WAKE: Duration = Duration::from_secs(1);
/// How often all keys are looked at when nobody can be woken.
const POLL: Duration = Duration::from_millis(50);
/// How long that goes on before waking is tried again.
const SULK: Duration = Duration::from_secs(10);

pub(super) struct Crowd {
    shared: Arc<Shared>,
    /// Wakes the thread from a rest; without it, the thread ends.
    bell: Mutex<Option<Sender<()>>>,
}

struct Shared {
    connector: Arc<Connector>,
    watch: Arc<Watch>,
    /// The key whose only purpose is to end a BLPOP. Nobody else has it.
    wake_key: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiters: Waiters,
    thread: Thread,
    /// Until when nobody can be woken, as far as is known.
    sulking: Option<Instant>,
}

/// What the thread does, and so what whoever comes must do.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Thread {
    /// There is none: start it.
    #[default]
    Absent,
    /// It waits for the bell.
    Rests,
    /// It will look at who waits before it blocks: nothing to do.
    Looks,
    /// It is in a BLPOP that does not know the new keys: push to the wake key.
    Blocks,
}

impl Crowd {
    pub(super) fn new(connector: Arc<Connector>, watch: Arc<Watch>) -> Self {
        let random = RandomState::new().build_hasher().finish();
        let wake_key = format!("zc-events-wake-{:x}-{random:016x}", std::process::id());
        let shared = Shared { connector, watch, wake_key, state: Mutex::default() };
        Self { shared: Arc::new(shared), bell: Mutex::default() }
    }

    /// Waits for a value under one of `keys`, until the `deadline` and not longer. `wake`
    /// pushes to the key that it is given.
    pub(super) fn wait(
        &self,
        keys: &[&str],
        deadline: Deadline,
        wake: impl FnOnce(&str) -> Result<()>,
    ) -> Result<Option<Found>> {
        let clock = &*self.shared.connector.clock;
        let (number, hand, thread) = {
            let mut state = self.shared.lock();
            let (number, hand) = state.waiters.enlist(keys);
            // Whoever comes next finds this done.
            (number, hand, std::mem::replace(&mut state.thread, Thread::Looks))
        };
        match thread {
            Thread::Absent => self.start(),
            Thread::Rests => self.ring(),
            Thread::Looks => {}
            Thread::Blocks => {
                if wake(&self.shared.wake_key).is_err() {
                    // The BLPOP ends by itself soon; until pushes pass again, nothing blocks.
                    self.shared.lock().sulking = Some(clock.now() + SULK);
                }
            }
        }
        match receive(clock, &hand, deadline) {
            Ok(handed) => handed.map(Some),
            Err(_) => {
                self.shared.lock().waiters.dismiss(number);
                // Between the alarm and the lock something may have been handed over.
                hand.try_recv().ok().transpose()
            }
        }
    }

    fn ring(&self) {
        if let Some(bell) = &*self.bell() {
            let _ = bell.try_send(());
        }
    }

    fn start(&self) {
        let (ring, bell) = bounded(1);
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name("zc-events-redis-wait".to_owned());
        let mut kept = self.bell();
        match thread.spawn(move || Worker { shared: &shared, link: None }.run(&bell)) {
            Ok(_) => *kept = Some(ring),
            Err(error) => {
                drop(kept);
                let mut state = self.shared.lock();
                state.thread = Thread::Absent;
                state.waiters.fail_all(|| Error::Unavailable {
                    what: format!("no thread can be started to wait for answers: {error}"),
                    source: None,
                });
            }
        }
    }

    fn bell(&self) -> MutexGuard<'_, Option<Sender<()>>> {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the wait of whoever waits for one of `keys`.
    fn fail(&self, keys: &[String], error: &Error) {
        let mut state = self.lock();
        for key in keys {
            state.waiters.fail(key, || error.repeated());
        }
    }
}

/// How the thread waits next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Until the server tells of an answer.
    Block,
    /// Answers come: look at all keys.
    Sweep,
    /// As before, after BLPOP was refused.
    Probe,
}

struct Worker<'a> {
    shared: &'a Shared,
    link: Option<Link>,
}

impl Worker<'_> {
    fn run(mut self, bell: &Receiver<()>) {
        let mut next = Next::Block;
        let mut rested = true;
        loop {
            let (keys, sulking) = self.look(next);
            if keys.is_empty() {
                if bell.recv().is_err() {
                    return;
                }
                (next, rested) = (Next::Block, true);
                continue;
            }
            let Some(mut link) = self.ready(&keys, rested) else { continue };
            rested = false;
            next = match next {
                Next::Block if sulking => {
                    let (_never, interrupt) = bounded(0);
                    let clock = &*self.shared.connector.clock;
                    pause(clock, clock.deadline(POLL), &interrupt);
                    self.sweep(&mut link, &keys).0
                }
                Next::Block => self.block(&mut link, &keys),
                Next::Sweep => self.sweep(&mut link, &keys).0,
                Next::Probe => {
                    let (next, refused) = self.sweep(&mut link, &keys);
                    if !refused {
                        // It is not a key of theirs that BLPOP is refused for.
                        self.shared.lock().sulking = Some(self.shared.connector.clock.now() + SULK);
                    }
                    next
                }
            };
            self.link = Some(link).filter(Link::is_clean);
        }
    }

    /// Who waits, for what; and what those who come from now on have to do.
    fn look(&self, next: Next) -> (Vec<String>, bool) {
        let mut state = self.shared.lock();
        let keys = state.waiters.keys();
        let now = self.shared.connector.clock.now();
        state.sulking = state.sulking.filter(|until| *until > now);
        let sulking = state.sulking.is_some();
        state.thread = match next {
            _ if keys.is_empty() => Thread::Rests,
            Next::Block if !sulking => Thread::Blocks,
            _ => Thread::Looks,
        };
        (keys, sulking)
    }

    /// A connection; without one, those who wait are told why.
    fn ready(&mut self, keys: &[String], rested: bool) -> Option<Link> {
        let connector = &*self.shared.connector;
        let deadline = connector.clock.deadline(PATIENCE);
        if let Some(mut link) = self.link.take()
            && (!rested || connector.is_alive(&mut link, deadline))
        {
            return Some(link);
        }
        match connector.connect(deadline) {
            Ok(link) => {
                // What kept others from waking the old one may have ended with it.
                self.shared.lock().sulking = None;
                Some(link)
            }
            Err(error) => {
                self.shared.fail(keys, &error);
                None
            }
        }
    }

    fn block(&self, link: &mut Link, keys: &[String]) -> Next {
        let connector = &*self.shared.connector;
        let clock = &*connector.clock;
        let mut asked: Vec<&str> = keys.iter().map(String::as_str).collect();
        asked.push(&self.shared.wake_key);
        let until = Deadline::at(clock.deadline(SLICE).instant() + PATIENCE);
        let answer = connector.ask(link, &blpop(&asked, SLICE), until);
        // From here on the next look takes everybody in.
        self.shared.lock().thread = Thread::Looks;
        match answer.map(|answer| answer.map(|value| found(value, &asked))) {
            Ok(Ok(Ok(None))) => Next::Block,
            Ok(Ok(Ok(Some((key, _))))) if key == self.shared.wake_key => Next::Block,
            Ok(Ok(Ok(Some(found)))) => {
                self.hand_over(link, vec![found]);
                Next::Sweep
            }
            Ok(Ok(Err(trouble))) => {
                link.spoil();
                self.trouble(keys, trouble)
            }
            Ok(Err(refused)) => {
                if refusal::ends_connection(&refused) {
                    self.refused(link, keys, &refused);
                    return Next::Block;
                }
                Next::Probe
            }
            Err(trouble) => self.trouble(keys, trouble),
        }
    }

    /// Looks at all `keys` once. Says whether there was something, and whether a key was refused.
    fn sweep(&self, link: &mut Link, keys: &[String]) -> (Next, bool) {
        let (mut any, mut refused) = (false, false);
        for batch in keys.chunks(BATCH) {
            let clock = &*self.shared.connector.clock;
            let request: Vec<u8> = batch.iter().flat_map(|key| cmd("LPOP").arg(key).get_packed_command()).collect();
            let until = clock.deadline(PATIENCE);
            let mut waiting = batch.iter();
            let (mut strays, mut refusals, mut garbage) = (Vec::new(), Vec::new(), false);
            let result = link.send(&request, clock, until).and_then(|()| {
                link.receive(batch.len(), clock, until, |answer| {
                    let Some(key) = waiting.next() else { return };
                    match answer {
                        Ok(Value::Nil) => {}
                        Ok(Value::Data(value)) => {
                            any = true;
                            let left = self.shared.lock().waiters.hand_over(key, value);
                            strays.extend(left.map(|value| (key.clone(), value)));
                        }
                        Ok(_) => garbage = true,
                        Err(error) => refusals.push((key.clone(), error)),
                    }
                })
            });
            for (key, error) in refusals {
                refused = true;
                self.refused(link, &[key], &error);
            }
            if let Err(trouble) = if garbage { Err(Trouble::Garbage) } else { result } {
                link.spoil();
                for _ in &strays {
                    self.shared.watch.lost(&self.shared.connector.url, "the connection was lost");
                }
                return (self.trouble(if garbage { batch } else { waiting.as_slice() }, trouble), refused);
            }
            self.hand_over(link, strays);
            if !link.is_clean() {
                return (Next::Block, refused);
            }
        }
        (if any { Next::Sweep } else { Next::Block }, refused)
    }

    /// Gives each value to whoever waits for it; what nobody waits for any more goes back.
    fn hand_over(&self, link: &mut Link, all: Vec<Found>) {
        for (key, value) in all {
            let left = self.shared.lock().waiters.hand_over(&key, value);
            if let Some(value) = left {
                let until = self.shared.connector.clock.deadline(PATIENCE);
                put_back(&self.shared.connector, &self.shared.watch, link, (key, value), until);
            }
        }
    }

    fn refused(&self, link: &mut Link, keys: &[String], error: &RedisError) {
        if refusal::ends_connection(error) {
            link.spoil();
        }
        self.shared.fail(keys, &refusal::refused(&self.shared.connector.url, "to wait for an answer", error));
    }

    /// The connection is lost, and perhaps a value of one of `keys` with it.
    fn trouble(&self, keys: &[String], trouble: Trouble) -> Next {
        self.shared.fail(keys, &refusal::lost(&self.shared.connector.url, WAITING, trouble));
        Next::Block
    }
}

impl Drop for Worker<'_> {
    /// However the thread ends: nobody waits for it in vain, and the next who comes starts another.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.thread = Thread::Absent;
        state.waiters.fail_all(|| Error::Unavailable {
            what: "waiting for answers from Redis ended unexpectedly; one may have been taken and lost".to_owned(),
            source: None,
        });
    }
}
