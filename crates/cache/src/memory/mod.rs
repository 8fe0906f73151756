//! The reply store in this process: for tests, demonstrations and single programs. Behaves
//! as Redis does where callers can see it; `conformance` checks that. Never touches a socket.

mod records;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use zc_events_protocol::clock::receive;
use zc_events_protocol::{Clock, Deadline, Stage};

use self::records::Records;
use crate::store::{some_keys, whole_millis, whole_seconds};
use crate::waiters::{Found, Waiters};
use crate::{Claim, Error, ReplyStore, Result, StoreHealth, StoreInspection, Taken};

/// Named stores, for as long as somebody holds them.
static NAMED: LazyLock<Mutex<HashMap<String, Weak<Shared>>>> = LazyLock::new(Mutex::default);

/// Lists of answers and idempotency records in memory. Clones share them.
///
/// Expiry and waiting follow the clock, so a [`ManualClock`](zc_events_protocol::ManualClock)
/// decides when a list dies and when a waiting [`pop`](ReplyStore::pop) gives up.
#[derive(Clone)]
pub struct MemoryReplyStore(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

/// The number of one who waits, and where he is handed what he waits for.
type Ticket = (u64, Receiver<Result<Found>>);

#[derive(Default)]
struct State {
    lists: HashMap<String, List>,
    waiters: Waiters,
    records: Records,
    /// At how many lists the expired ones are looked for and dropped.
    purge_at: usize,
    failure: Option<String>,
    health: StoreHealth,
}

struct List {
    values: VecDeque<Vec<u8>>,
    expires: Instant,
}

impl MemoryReplyStore {
    /// An empty store that nobody else has.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared { clock, state: Mutex::default() }))
    }

    /// The store that this process shares under `name`; it lives as long as somebody holds it.
    /// One that exists keeps the clock it was made with.
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

    /// From now on every call fails as [`Unavailable`](Error::Unavailable) with these words,
    /// and whoever waits fails at once; `None` ends that. Nothing stored is lost. This is
    /// how a test takes the server away.
    pub fn fail_with(&self, what: Option<&str>) {
        let mut state = self.0.lock();
        state.failure = what.map(str::to_owned);
        if let Some(what) = what {
            state.waiters.fail_all(Error::Unavailable { what: what.to_owned(), source: None });
        }
    }

    /// How many calls are waiting in [`pop`](ReplyStore::pop), for tests that need somebody to wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.lock().waiters.len()
    }
}

impl fmt::Debug for MemoryReplyStore {
    /// Shows numbers; neither keys nor values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("MemoryReplyStore")
            .field("lists", &state.lists.len())
            .field("waiting", &state.waiters.len())
            .finish()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here calls foreign code between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `what` in one step, unless the `deadline` has passed, and notes how it went.
    fn call<T>(&self, deadline: Deadline, what: impl FnOnce(&mut State, &dyn Clock) -> Result<T>) -> Result<T> {
        let clock = &*self.clock;
        let mut state = self.lock();
        let result = if deadline.has_passed(clock) {
            // As when no connection was to be had in time: nothing was done.
            Err(Error::Timeout { stage: Stage::Pool })
        } else {
            state.working().and_then(|()| what(&mut state, clock))
        };
        state.note(result.as_ref().err(), clock.now());
        result
    }

    /// What is there under each of the keys.
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

    /// A value, or the number and the channel under which one will be handed over.
    fn take_or_wait(&self, keys: &[&str]) -> Result<Result<Found, Ticket>> {
        let now = self.clock.now();
        let mut state = self.lock();
        let ready = state.working().and_then(|()| keys.iter().try_for_each(|key| state.no_record(key, now)));
        state.note(ready.as_ref().err(), now);
        ready?;
        if let Some(found) = keys.iter().find_map(|key| state.take(key, now)) {
            return Ok(Ok(found));
        }
        Ok(Err(state.waiters.enlist(keys)))
    }
}

impl State {
    fn working(&self) -> Result<()> {
        match &self.failure {
            Some(what) => Err(Error::Unavailable { what: what.clone(), source: None }),
            None => Ok(()),
        }
    }

    fn note(&mut self, error: Option<&Error>, now: Instant) {
        self.health.reachable = Some(self.failure.is_none());
        if let Some(error) = error {
            self.health.last_error = Some(error.to_string());
            self.health.last_error_at = Some(now);
        }
    }

    /// As Redis, which keeps one type of value under a key.
    fn no_record(&self, key: &str, now: Instant) -> Result<()> {
        if self.records.holds(key, now) { Err(wrong_type("a list")) } else { Ok(()) }
    }

    fn no_list(&self, key: &str, now: Instant) -> Result<()> {
        let holds = self.lists.get(key).is_some_and(|list| list.expires > now);
        if holds { Err(wrong_type("a record")) } else { Ok(()) }
    }

    fn take(&mut self, key: &str, now: Instant) -> Option<Found> {
        let list = self.lists.get_mut(key)?;
        let value = if list.expires > now { list.values.pop_front() } else { None };
        if value.is_none() || list.values.is_empty() {
            self.lists.remove(key);
        }
        Some((key.to_owned(), value?))
    }

    fn purge(&mut self, now: Instant) {
        if self.lists.len() >= self.purge_at {
            self.lists.retain(|_, list| list.expires > now);
            self.purge_at = (self.lists.len() * 2).max(64);
        }
    }
}

impl ReplyStore for MemoryReplyStore {
    fn push(&self, key: &str, value: &[u8], ttl: Duration, deadline: Deadline) -> Result<()> {
        let value = value.to_vec();
        self.0.call(deadline, |state, clock| {
            let now = clock.now();
            let expires = clock.deadline(Duration::from_secs(whole_seconds(ttl))).instant();
            state.no_record(key, now)?;
            let Some(value) = state.waiters.hand_over(key, value) else { return Ok(()) };
            state.purge(now);
            match state.lists.get_mut(key).filter(|list| list.expires > now) {
                Some(list) => {
                    list.values.push_back(value);
                    list.expires = expires;
                }
                None => {
                    state.lists.insert(key.to_owned(), List { values: VecDeque::from([value]), expires });
                }
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
            Ok(handed) => handed.map(Some),
            // Between the alarm and the lock something may have been handed over.
            Err(_) => {
                self.0.lock().waiters.dismiss(number);
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

    /// It has no limit, and its time is that of its clock.
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

fn wrong_type(expected: &str) -> Error {
    Error::Rejected { why: format!("the key holds something that is not {expected}") }
}

/// When a lease or a record that lives for `time` ends.
fn ends(clock: &dyn Clock, time: Duration) -> Instant {
    clock.deadline(Duration::from_millis(whole_millis(time))).instant()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use zc_events_protocol::{ManualClock, SystemClock};

    const MINUTE: Duration = Duration::from_secs(60);

    fn manual() -> (ManualClock, MemoryReplyStore) {
        let clock = ManualClock::new();
        (clock.clone(), MemoryReplyStore::new(Arc::new(clock)))
    }

    fn until_waiting(store: &MemoryReplyStore, count: usize) {
        while store.waiting() != count {
            thread::yield_now();
        }
    }

    #[test]
    fn conforms() {
        crate::conformance::run(&|| Arc::new(MemoryReplyStore::new(Arc::new(SystemClock))));
    }

    #[test]
    fn a_list_lives_for_its_ttl_in_whole_seconds_counted_from_the_last_push() {
        let (clock, store) = manual();
        let now = || clock.deadline(Duration::ZERO);
        store.push("k", b"1", Duration::from_millis(1500), clock.deadline(MINUTE)).unwrap();
        clock.advance(Duration::from_millis(1900));
        store.push("k", b"2", Duration::from_secs(3), clock.deadline(MINUTE)).unwrap();
        clock.advance(Duration::from_millis(2999));
        assert_eq!(store.pop(&["k"], now()).unwrap().unwrap().1, b"1");
        clock.advance(Duration::from_millis(1));
        assert_eq!(store.pop(&["k"], now()).unwrap(), None);
    }

    #[test]
    fn a_waiting_pop_ends_by_the_clock_alone() {
        let (clock, store) = manual();
        let deadline = clock.deadline(MINUTE);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| store.pop(&["k"], deadline));
            until_waiting(&store, 1);
            clock.advance(MINUTE - Duration::from_nanos(1));
            assert!(!waiting.is_finished());
            assert_eq!(store.waiting(), 1);
            // The alarm may be set only after somebody is counted as waiting: it is in the past then.
            clock.advance(Duration::from_nanos(1));
            assert_eq!(waiting.join().unwrap().unwrap(), None);
        });
        assert_eq!(store.waiting(), 0);
    }

    #[test]
    fn the_one_who_waited_longest_is_served_first() {
        let (clock, store) = manual();
        let deadline = clock.deadline(MINUTE);
        thread::scope(|scope| {
            let first = scope.spawn(|| store.pop(&["other", "k"], deadline));
            until_waiting(&store, 1);
            let second = scope.spawn(|| store.pop(&["k"], deadline));
            until_waiting(&store, 2);
            store.push("k", b"1", MINUTE, deadline).unwrap();
            store.push("k", b"2", MINUTE, deadline).unwrap();
            assert_eq!(first.join().unwrap().unwrap().unwrap().1, b"1");
            assert_eq!(second.join().unwrap().unwrap().unwrap().1, b"2");
        });
    }

    #[test]
    fn a_failure_reaches_those_who_wait_and_loses_nothing() {
        let (clock, store) = manual();
        let deadline = clock.deadline(MINUTE);
        store.push("kept", b"v", MINUTE, deadline).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| store.pop(&["k"], deadline));
            until_waiting(&store, 1);
            store.fail_with(Some("gone for lunch"));
            assert_eq!(waiting.join().unwrap().unwrap_err().to_string(), "gone for lunch");
        });
        assert!(store.push("k", b"v", MINUTE, deadline).unwrap_err().is_retryable());
        assert!(store.pop(&["k"], deadline).is_err());
        assert!(store.ping(deadline).is_err());
        store.fail_with(None);
        store.ping(deadline).unwrap();
        assert_eq!(store.pop(&["kept"], deadline).unwrap().unwrap().1, b"v");
    }

    #[test]
    fn a_lease_ends_by_the_clock() {
        let (clock, store) = manual();
        let soon = || clock.deadline(MINUTE);
        assert_eq!(store.claim("k", "a", MINUTE, soon()).unwrap(), Claim::Granted);
        clock.advance(MINUTE - Duration::from_millis(5));
        let left = Duration::from_millis(5);
        assert_eq!(store.claim("k", "b", MINUTE, soon()).unwrap(), Claim::Held { for_at_most: left });
        clock.advance(left);
        assert!(!store.renew("k", "a", MINUTE, soon()).unwrap());
        assert_eq!(store.claim("k", "b", MINUTE, soon()).unwrap(), Claim::Granted);
        assert!(!store.complete("k", "a", b"late", MINUTE, soon()).unwrap());
    }

    #[test]
    fn health_tells_what_the_last_call_showed_and_who_waits() {
        let (clock, store) = manual();
        let deadline = clock.deadline(MINUTE);
        assert_eq!(store.health().reachable, None);
        store.ping(deadline).unwrap();
        assert_eq!(store.health().reachable, Some(true));
        thread::scope(|scope| {
            scope.spawn(|| store.pop(&["k"], deadline).unwrap_err());
            until_waiting(&store, 1);
            assert_eq!(store.health().waiting, 1);
            store.fail_with(Some("gone"));
        });
        assert!(store.ping(deadline).is_err());
        let health = store.health();
        assert_eq!((health.reachable, health.waiting), (Some(false), 0));
        assert_eq!((health.last_error.as_deref(), health.last_error_at), (Some("gone"), Some(clock.now())));
        store.fail_with(None);
        store.ping(deadline).unwrap();
        assert_eq!(store.health().reachable, Some(true));
        assert!(store.health().last_error.is_some());
    }

    #[test]
    fn expired_lists_do_not_pile_up() {
        let (clock, store) = manual();
        for number in 0..10_000 {
            store.push(&number.to_string(), b"v", Duration::from_secs(1), clock.deadline(MINUTE)).unwrap();
            clock.advance(Duration::from_millis(100));
        }
        assert!(store.0.lock().lists.len() <= 64);
    }

    #[test]
    fn a_named_store_ends_with_its_last_holder() {
        let name = "memory-test-lifetime";
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let one = MemoryReplyStore::named(name, clock.clone());
        one.push("k", b"v", MINUTE, clock.deadline(MINUTE)).unwrap();
        let two = MemoryReplyStore::named(name, clock.clone());
        drop(one);
        assert!(two.pop(&["k"], clock.deadline(Duration::ZERO)).unwrap().is_some());
        two.push("k", b"v", MINUTE, clock.deadline(MINUTE)).unwrap();
        drop(two);
        let three = MemoryReplyStore::named(name, clock.clone());
        assert!(three.pop(&["k"], clock.deadline(Duration::ZERO)).unwrap().is_none());
    }

    #[test]
    fn debug_shows_no_values() {
        let (clock, store) = manual();
        store.push("canary-key", b"canary", MINUTE, clock.deadline(MINUTE)).unwrap();
        assert_eq!(format!("{store:?}"), "MemoryReplyStore { lists: 1, waiting: 0 }");
    }
}
