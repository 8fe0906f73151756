//! The reply store in this process: for tests, demonstrations and single programs. Behaves
//! as Redis does where callers can see it; `conformance` checks that. Never touches a socket.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use zc_events_protocol::clock::receive;
use zc_events_protocol::{Clock, Deadline, Stage};

use crate::store::{some_keys, whole_seconds};
use crate::{Error, ReplyStore, Result};

/// A value with the key it was pushed under.
type Found = (String, Vec<u8>);

/// Named stores, for as long as somebody holds them.
static NAMED: LazyLock<Mutex<HashMap<String, Weak<Shared>>>> = LazyLock::new(Mutex::default);

/// Lists of answers in memory. Clones share them.
///
/// Expiry and waiting follow the clock, so a [`ManualClock`](zc_events_protocol::ManualClock)
/// decides when a list dies and when a waiting [`pop`](ReplyStore::pop) gives up.
#[derive(Clone)]
pub struct MemoryReplyStore(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    lists: HashMap<String, List>,
    /// By number, which counts up: the smallest has waited longest.
    waiters: HashMap<u64, Waiter>,
    waiting_for: HashMap<String, BTreeSet<u64>>,
    next_waiter: u64,
    /// At how many lists the expired ones are looked for and dropped.
    purge_at: usize,
    failure: Option<String>,
}

struct List {
    values: VecDeque<Vec<u8>>,
    expires: Instant,
}

struct Waiter {
    keys: Vec<String>,
    hand: Sender<Found>,
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
        if state.failure.is_some() {
            state.waiters.clear();
            state.waiting_for.clear();
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

    fn in_time(&self, deadline: Deadline) -> Result<()> {
        if deadline.has_passed(&*self.clock) { Err(Error::Timeout { stage: Stage::Store }) } else { Ok(()) }
    }

    /// A value, or the number and the channel under which one will be handed over.
    fn take_or_wait(&self, keys: &[&str]) -> Result<Result<Found, (u64, Receiver<Found>)>> {
        let now = self.clock.now();
        let mut state = self.lock();
        state.working()?;
        if let Some(found) = keys.iter().find_map(|key| state.take(key, now)) {
            return Ok(Ok(found));
        }
        Ok(Err(state.enlist(keys)))
    }
}

impl State {
    fn working(&self) -> Result<()> {
        match &self.failure {
            Some(what) => Err(Error::Unavailable { what: what.clone(), source: None }),
            None => Ok(()),
        }
    }

    fn take(&mut self, key: &str, now: Instant) -> Option<Found> {
        let list = self.lists.get_mut(key)?;
        let value = if list.expires > now { list.values.pop_front() } else { None };
        if value.is_none() || list.values.is_empty() {
            self.lists.remove(key);
        }
        Some((key.to_owned(), value?))
    }

    fn enlist(&mut self, keys: &[&str]) -> (u64, Receiver<Found>) {
        let number = self.next_waiter;
        self.next_waiter += 1;
        let (hand, receiver) = bounded(1);
        let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        for key in &keys {
            self.waiting_for.entry(key.clone()).or_default().insert(number);
        }
        self.waiters.insert(number, Waiter { keys, hand });
        (number, receiver)
    }

    fn dismiss(&mut self, number: u64) -> Option<Waiter> {
        let waiter = self.waiters.remove(&number)?;
        for key in &waiter.keys {
            if let Some(numbers) = self.waiting_for.get_mut(key) {
                numbers.remove(&number);
                if numbers.is_empty() {
                    self.waiting_for.remove(key);
                }
            }
        }
        Some(waiter)
    }

    /// Hands `value` to the one who waits longest for `key`; gives it back if nobody does.
    fn hand_over(&mut self, key: &str, value: Vec<u8>) -> Option<Vec<u8>> {
        let mut found = (key.to_owned(), value);
        while let Some(&oldest) = self.waiting_for.get(key).and_then(BTreeSet::first) {
            let waiter = self.dismiss(oldest)?;
            match waiter.hand.try_send(found) {
                Ok(()) => return None,
                // Its thread is gone, by a panic.
                Err(unsent) => found = unsent.into_inner(),
            }
        }
        Some(found.1)
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
        self.0.in_time(deadline)?;
        let now = self.0.clock.now();
        let expires = self.0.clock.deadline(Duration::from_secs(whole_seconds(ttl))).instant();
        let value = value.to_vec();
        let mut state = self.0.lock();
        state.working()?;
        let Some(value) = state.hand_over(key, value) else { return Ok(()) };
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
    }

    fn pop(&self, keys: &[&str], deadline: Deadline) -> Result<Option<Found>> {
        some_keys(keys)?;
        let (number, receiver) = match self.0.take_or_wait(keys)? {
            Ok(found) => return Ok(Some(found)),
            Err(waiting) => waiting,
        };
        match receive(&*self.0.clock, &receiver, deadline) {
            Ok(found) => Ok(Some(found)),
            Err(RecvTimeoutError::Timeout) => {
                // Between the alarm and this lock a value may have been handed over.
                self.0.lock().dismiss(number);
                Ok(receiver.try_recv().ok())
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.0.lock().working()?;
                Err(Error::Unavailable {
                    what: "the reply store in memory failed for a moment".to_owned(),
                    source: None,
                })
            }
        }
    }

    fn ping(&self, deadline: Deadline) -> Result<()> {
        self.0.in_time(deadline)?;
        self.0.lock().working()
    }
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
