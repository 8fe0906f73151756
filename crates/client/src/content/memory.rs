//! Contents in this process: for tests, demonstrations and single programs. Forgets everything when the last clone goes.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use zc_events_protocol::{Clock, Deadline, Outcome, SystemClock};

use super::{ContentStore, MAX_BYTES, fits, in_time, key};
use crate::{Error, Result};

/// Named stores, for as long as somebody holds them.
static NAMED: LazyLock<Mutex<HashMap<String, Weak<Mutex<State>>>>> = LazyLock::new(Mutex::default);

/// Contents in memory. Clones share them.
///
/// ```
/// use std::time::Duration;
/// use zc_events::content::{ContentStore, MemoryStore};
/// use zc_events::{Clock, SystemClock};
///
/// let store = MemoryStore::new();
/// let key = store.put_new("application/json", b"[]", SystemClock.deadline(Duration::from_secs(5)))?;
/// assert_eq!(store.keys(), [key.as_str()]);
/// assert_eq!(store.content_type(&key).as_deref(), Some("application/json"));
/// // As when a server is down: what a program makes of that can be tested.
/// store.fail_with(Some("down for the test"));
/// assert!(store.get(&key, SystemClock.deadline(Duration::from_secs(5))).is_err());
/// # Ok::<(), zc_events::Error>(())
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
    max_bytes: usize,
}

#[derive(Default)]
struct State {
    contents: BTreeMap<String, Content>,
    failure: Option<String>,
}

struct Content {
    content_type: String,
    bytes: Vec<u8>,
}

impl MemoryStore {
    /// An empty store that nobody else has.
    #[must_use]
    pub fn new() -> Self {
        Self { state: Arc::default(), clock: Arc::new(SystemClock), max_bytes: MAX_BYTES }
    }

    /// The store that this process shares under `name`; it lives as long as somebody holds it.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = named.get(name).and_then(Weak::upgrade) {
            return Self { state, ..Self::new() };
        }
        let store = Self::new();
        named.retain(|_, weak| weak.strong_count() > 0);
        named.insert(name.to_owned(), Arc::downgrade(&store.state));
        store
    }

    /// The bucket of this name of the store that the process shares as `memory://name`.
    pub(crate) fn in_bucket(name: &str, bucket: &str) -> Self {
        Self::named(&format!("{name}/{bucket}"))
    }

    /// Takes the time from this clock, by which deadlines pass; the system's unless set.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes and hands out no content of more bytes; [`MAX_BYTES`] unless set.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The keys under which something lies, sorted.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.lock().contents.keys().cloned().collect()
    }

    /// The content type with which something was put under `key`.
    #[must_use]
    pub fn content_type(&self, key: &str) -> Option<String> {
        self.lock().contents.get(key).map(|content| content.content_type.clone())
    }

    /// From now on every call fails as [`Error::Unavailable`] with these words; `None` ends that. Nothing stored is lost.
    pub fn fail_with(&self, what: Option<&str>) {
        self.lock().failure = what.map(str::to_owned);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What can be done with `key` now.
    fn call<T>(&self, key: &str, deadline: Deadline, what: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        key::check(key)?;
        in_time(&*self.clock, deadline)?;
        let mut state = self.lock();
        match &state.failure {
            Some(what) => Err(Error::Unavailable { what: what.clone(), outcome: Outcome::NotSent, source: None }),
            None => what(&mut state),
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl ContentStore for MemoryStore {
    fn put(&self, key: &str, content_type: &str, content: &[u8], deadline: Deadline) -> Result<()> {
        fits(key, content.len(), self.max_bytes)?;
        let content = Content { content_type: content_type.to_owned(), bytes: content.to_vec() };
        self.call(key, deadline, |state| {
            state.contents.insert(key.to_owned(), content);
            Ok(())
        })
    }

    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Vec<u8>>> {
        self.call(key, deadline, |state| {
            let Some(content) = state.contents.get(key) else { return Ok(None) };
            fits(key, content.bytes.len(), self.max_bytes)?;
            Ok(Some(content.bytes.clone()))
        })
    }

    fn delete(&self, key: &str, deadline: Deadline) -> Result<()> {
        self.call(key, deadline, |state| {
            state.contents.remove(key);
            Ok(())
        })
    }

    fn max_bytes(&self) -> usize {
        self.max_bytes
    }
}

impl fmt::Debug for MemoryStore {
    /// How many there are; neither keys nor contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("contents", &self.lock().contents.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance;
    use super::*;
    use std::time::Duration;
    use zc_events_protocol::ManualClock;

    #[test]
    fn conforms() {
        let store = MemoryStore::new();
        conformance::run(&|limit| Arc::new(store.clone().limit(limit)));
    }

    #[test]
    fn a_name_is_shared_for_as_long_as_somebody_holds_it() {
        let soon = || SystemClock.deadline(Duration::from_secs(5));
        let (one, two) = (MemoryStore::named("contents"), MemoryStore::named("contents"));
        one.put("k", "text/plain", b"v", soon()).unwrap();
        assert_eq!(two.get("k", soon()).unwrap().as_deref(), Some(&b"v"[..]));
        assert!(MemoryStore::named("others").keys().is_empty());
        drop((one, two));
        assert!(MemoryStore::named("contents").keys().is_empty());
    }

    #[test]
    fn deadlines_pass_by_the_clock() {
        let clock = ManualClock::new();
        let store = MemoryStore::new().clock(Arc::new(clock.clone()));
        let deadline = clock.deadline(Duration::from_secs(5));
        assert_eq!(store.get("k", deadline).unwrap(), None);
        clock.advance(Duration::from_secs(5));
        assert!(store.get("k", deadline).unwrap_err().is_timeout());
    }

    #[test]
    fn debug_shows_no_content() {
        let store = MemoryStore::new();
        store.put("hush", "hush/hush", b"hush", SystemClock.deadline(Duration::from_secs(5))).unwrap();
        assert_eq!(format!("{store:?}"), "MemoryStore { contents: 1, .. }");
    }
}
