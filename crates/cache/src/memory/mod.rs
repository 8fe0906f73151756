//! The reply store in this process: for tests, demonstrations and single programs. Callers see the behaviour of Redis;
//! `conformance` checks that. Opens no socket.

mod memory_records;
mod memory_state;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use zc_events_protocol::clock::receive;
use zc_events_protocol::{Clock, Deadline, Stage};

use self::memory_state::MemoryState;
use crate::store::{some_keys, whole_millis, whole_seconds};
use crate::waiters::Found;
use crate::{Claim, Error, ReplyStore, Result, StoreHealth, StoreInspection, Taken};

/// The named stores, each as long as it has a handle.
static NAMED: LazyLock<Mutex<HashMap<String, Weak<SharedState>>>> = LazyLock::new(Mutex::default);

/// Lists of answers and idempotency records in memory. Clones share them.
///
/// Expiry and deadlines follow the clock: with a [`ManualClock`](zc_events_protocol::ManualClock), the test decides when a
/// list expires and when a waiting [`pop`](ReplyStore::pop) ends.
#[derive(Clone)]
pub struct MemoryReplyStore(Arc<SharedState>);

struct SharedState {
    clock: Arc<dyn Clock>,
    state: Mutex<MemoryState>,
}

/// The number of a waiting call, and the receiver of its value or error.
type WaitingCall = (u64, Receiver<Result<Found>>);

impl MemoryReplyStore {
    /// Creates an empty store.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(SharedState { clock, state: Mutex::default() }))
    }

    /// The store that this process shares under `name`, created if there is none. It lives as long as it has a handle, and
    /// keeps the clock that it was created with.
    #[must_use]
    pub fn named(name: &str, clock: Arc<dyn Clock>) -> Self {
        let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = named.get(name).and_then(Weak::upgrade) {
            return Self(shared);
        }
        let store = Self::new(clock);
        named.retain(|_, weak| weak.strong_count() > 0);
        named.insert(name.to_owned(), Arc::downgrade(&store.0));
        store
    }

    /// Makes every call fail as [`Unavailable`](Error::Unavailable) with this text, and ends the calls that wait. `None`
    /// makes them work again. Stored values are kept. Tests simulate an outage with it.
    pub fn fail_with(&self, what: Option<&str>) {
        let mut state = self.0.lock();
        state.failure = what.map(str::to_owned);
        if let Some(what) = what {
            state.waiters.fail_all(Error::Unavailable { what: what.to_owned(), source: None });
        }
    }

    /// The number of calls that wait in [`pop`](ReplyStore::pop).
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.lock().waiters.len()
    }
}

impl fmt::Debug for MemoryReplyStore {
    /// Shows numbers, and neither keys nor values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("MemoryReplyStore")
            .field("lists", &state.list_count())
            .field("waiting", &state.waiters.len())
            .finish()
    }
}

impl SharedState {
    fn lock(&self) -> MutexGuard<'_, MemoryState> {
        // No code of a caller runs while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `step` under the lock, unless the `deadline` has passed, and notes the result for `health`.
    fn call<T>(&self, deadline: Deadline, step: impl FnOnce(&mut MemoryState, &dyn Clock) -> Result<T>) -> Result<T> {
        let clock = &*self.clock;
        let mut state = self.lock();
        let result = if deadline.has_passed(clock) {
            // As when no connection is free in time: nothing was done.
            Err(Error::Timeout { stage: Stage::Pool })
        } else {
            state.working().and_then(|()| step(&mut state, clock))
        };
        state.note(result.as_ref().err(), clock.now());
        result
    }

    /// Takes the oldest value of each of the keys.
    fn take(&self, keys: &[&str]) -> Result<Vec<Taken>> {
        let now = self.clock.now();
        let mut state = self.lock();
        let working = state.working();
        state.note(working.as_ref().err(), now);
        working?;
        let taken = keys.iter().filter_map(|key| match state.no_record(key, now) {
            Ok(()) => state.take(key, now).map(|(key, value)| (key, Ok(value))),
            Err(refused) => Some(((*key).to_owned(), Err(refused))),
        });
        Ok(taken.collect())
    }

    /// Takes a value, or registers a waiting call.
    fn take_or_wait(&self, keys: &[&str]) -> Result<Result<Found, WaitingCall>> {
        let now = self.clock.now();
        let mut state = self.lock();
        let ready = state.working().and_then(|()| keys.iter().try_for_each(|key| state.no_record(key, now)));
        state.note(ready.as_ref().err(), now);
        ready?;
        if let Some(found) = keys.iter().find_map(|key| state.take(key, now)) {
            return Ok(Ok(found));
        }
        Ok(Err(state.waiters.register(keys)))
    }
}

impl ReplyStore for MemoryReplyStore {
    fn push(&self, key: &str, value: &[u8], ttl: Duration, deadline: Deadline) -> Result<()> {
        let value = value.to_vec();
        self.0.call(deadline, |state, clock| {
            let now = clock.now();
            let expires = clock.deadline(Duration::from_secs(whole_seconds(ttl))).instant();
            state.no_record(key, now)?;
            if let Some(value) = state.waiters.deliver(key, value) {
                state.append(key, value, expires, now);
            }
            Ok(())
        })
    }

    fn pop(&self, keys: &[&str], deadline: Deadline) -> Result<Option<Found>> {
        some_keys(keys)?;
        let (number, receiver) = match self.0.take_or_wait(keys)? {
            Ok(found) => return Ok(Some(found)),
            Err(waiting) => waiting,
        };
        match receive(&*self.0.clock, &receiver, deadline) {
            Ok(delivered) => delivered.map(Some),
            // A value may have been delivered between the deadline and the lock.
            Err(_) => {
                self.0.lock().waiters.remove(number);
                receiver.try_recv().ok().transpose()
            }
        }
    }

    fn take(&self, keys: &[&str], _: Deadline) -> Result<Vec<Taken>> {
        self.0.take(keys)
    }

    fn ping(&self, deadline: Deadline) -> Result<()> {
        self.0.call(deadline, |_, _| Ok(()))
    }

    fn claim(&self, key: &str, owner: &str, lease: Duration, deadline: Deadline) -> Result<Claim> {
        self.0.call(deadline, |state, clock| {
            let now = clock.now();
            state.no_list(key, now)?;
            Ok(state.records.claim(key, owner, ends(clock, lease), now))
        })
    }

    fn renew(&self, key: &str, owner: &str, lease: Duration, deadline: Deadline) -> Result<bool> {
        self.0.call(deadline, |state, clock| {
            let now = clock.now();
            state.no_list(key, now)?;
            Ok(state.records.renew(key, owner, ends(clock, lease), now))
        })
    }

    fn complete(&self, key: &str, owner: &str, record: &[u8], ttl: Duration, deadline: Deadline) -> Result<bool> {
        let record = record.to_vec();
        self.0.call(deadline, |state, clock| {
            let now = clock.now();
            state.no_list(key, now)?;
            Ok(state.records.complete(key, owner, record, ends(clock, ttl), now))
        })
    }

    fn release(&self, key: &str, owner: &str, deadline: Deadline) -> Result<()> {
        self.0.call(deadline, |state, clock| {
            state.no_list(key, clock.now())?;
            state.records.release(key, owner);
            Ok(())
        })
    }

    /// The store has no limit. Its time is the time of its clock.
    fn inspect(&self, deadline: Deadline) -> Result<StoreInspection> {
        self.0.call(deadline, |_, clock| {
            Ok(StoreInspection {
                server: Some("memory".to_owned()),
                is_replica: Some(false),
                max_memory: Some(0),
                eviction: Some("noeviction".to_owned()),
                evicted: Some(0),
                time: Some(clock.wall()),
            })
        })
    }

    fn health(&self) -> StoreHealth {
        let state = self.0.lock();
        StoreHealth { waiting: state.waiters.len(), ..state.health.clone() }
    }
}

/// The moment at which a lease or a record ends that lives for `time`.
fn ends(clock: &dyn Clock, time: Duration) -> Instant {
    clock.deadline(Duration::from_millis(whole_millis(time))).instant()
}
