//! Blobs in this process: for tests, demonstrations and single programs. The blobs are lost when the last clone is dropped.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use zc_events_protocol::{Clock, Deadline, SystemClock};

use crate::store::{check_deadline, check_size};
use crate::{BlobStore, Error, MAX_BYTES, Result, key};

/// The named stores that are in use.
static NAMED: LazyLock<Mutex<HashMap<String, Weak<Mutex<MemoryState>>>>> = LazyLock::new(Mutex::default);

/// A blob store in memory. Clones share the blobs.
///
/// ```
/// use std::time::Duration;
/// use zc_events_blobs::{BlobStore, MemoryBlobStore};
/// use zc_events_protocol::{Clock, SystemClock};
///
/// let store = MemoryBlobStore::new();
/// let key = store.put_new("application/json", b"[]", SystemClock.deadline(Duration::from_secs(5)))?;
/// assert_eq!(store.keys(), [key.as_str()]);
/// assert_eq!(store.content_type(&key).as_deref(), Some("application/json"));
/// // Simulates an unavailable server, to test how a program handles it.
/// store.fail_with(Some("down for the test"));
/// assert!(store.get(&key, SystemClock.deadline(Duration::from_secs(5))).is_err());
/// # Ok::<(), zc_events_blobs::Error>(())
/// ```
#[derive(Clone)]
pub struct MemoryBlobStore {
    state: Arc<Mutex<MemoryState>>,
    clock: Arc<dyn Clock>,
    max_bytes: usize,
}

#[derive(Default)]
struct MemoryState {
    blobs: BTreeMap<String, StoredBlob>,
    failure: Option<String>,
}

struct StoredBlob {
    content_type: String,
    bytes: Vec<u8>,
}

impl MemoryBlobStore {
    /// Creates an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self { state: Arc::default(), clock: Arc::new(SystemClock), max_bytes: MAX_BYTES }
    }

    /// The store that this process shares under `name`. It exists while a clone of it exists.
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

    /// Sets the clock that deadlines are measured with; the system clock by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the largest blob that the store accepts or returns, in bytes; [`MAX_BYTES`] by default.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The keys of all blobs, sorted.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.lock().blobs.keys().cloned().collect()
    }

    /// The content type of the blob under `key`.
    #[must_use]
    pub fn content_type(&self, key: &str) -> Option<String> {
        self.lock().blobs.get(key).map(|blob| blob.content_type.clone())
    }

    /// Makes every call fail as [`Error::Unavailable`] with this text; `None` ends that. No blob is lost.
    pub fn fail_with(&self, what: Option<&str>) {
        self.lock().failure = what.map(str::to_owned);
    }

    fn lock(&self) -> MutexGuard<'_, MemoryState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `action` if the key is valid, the deadline has not passed and no failure is simulated.
    fn call<T>(&self, key: &str, deadline: Deadline, action: impl FnOnce(&mut MemoryState) -> Result<T>) -> Result<T> {
        key::check(key)?;
        check_deadline(&*self.clock, deadline)?;
        let mut state = self.lock();
        match &state.failure {
            Some(what) => Err(Error::unavailable(what)),
            None => action(&mut state),
        }
    }
}

impl Default for MemoryBlobStore {
    fn default() -> Self {
        Self::new()
    }
}

impl BlobStore for MemoryBlobStore {
    fn put(&self, key: &str, content_type: &str, blob: &[u8], deadline: Deadline) -> Result<()> {
        check_size(key, blob.len(), self.max_bytes)?;
        let blob = StoredBlob { content_type: content_type.to_owned(), bytes: blob.to_vec() };
        self.call(key, deadline, |state| {
            state.blobs.insert(key.to_owned(), blob);
            Ok(())
        })
    }

    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Vec<u8>>> {
        self.call(key, deadline, |state| {
            let Some(blob) = state.blobs.get(key) else { return Ok(None) };
            check_size(key, blob.bytes.len(), self.max_bytes)?;
            Ok(Some(blob.bytes.clone()))
        })
    }

    fn delete(&self, key: &str, deadline: Deadline) -> Result<()> {
        self.call(key, deadline, |state| {
            state.blobs.remove(key);
            Ok(())
        })
    }

    fn max_bytes(&self) -> usize {
        self.max_bytes
    }
}

impl fmt::Debug for MemoryBlobStore {
    /// Shows the number of blobs; no key and no blob.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBlobStore").field("blobs", &self.lock().blobs.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance;
    use std::time::Duration;
    use zc_events_protocol::ManualClock;

    #[test]
    fn conforms() {
        let store = MemoryBlobStore::new();
        conformance::run(&|limit| Arc::new(store.clone().limit(limit)));
    }

    #[test]
    fn a_named_store_is_shared_while_a_clone_exists() {
        let soon = || SystemClock.deadline(Duration::from_secs(5));
        let (one, two) = (MemoryBlobStore::named("blobs"), MemoryBlobStore::named("blobs"));
        one.put("k", "text/plain", b"v", soon()).unwrap();
        assert_eq!(two.get("k", soon()).unwrap().as_deref(), Some(&b"v"[..]));
        assert!(MemoryBlobStore::named("others").keys().is_empty());
        drop((one, two));
        assert!(MemoryBlobStore::named("blobs").keys().is_empty());
    }

    #[test]
    fn deadlines_pass_by_the_clock() {
        let clock = ManualClock::new();
        let store = MemoryBlobStore::new().clock(Arc::new(clock.clone()));
        let deadline = clock.deadline(Duration::from_secs(5));
        assert_eq!(store.get("k", deadline).unwrap(), None);
        clock.advance(Duration::from_secs(5));
        assert!(store.get("k", deadline).unwrap_err().is_timeout());
    }

    #[test]
    fn debug_shows_no_blob() {
        let store = MemoryBlobStore::new();
        store.put("hush", "hush/hush", b"hush", SystemClock.deadline(Duration::from_secs(5))).unwrap();
        assert_eq!(format!("{store:?}"), "MemoryBlobStore { blobs: 1, .. }");
    }
}
