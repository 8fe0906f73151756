//! The contract: blobs, each under its key. Implementations are in `memory`, `folder` and `s3`; `conformance` checks
//! that they behave alike.

use std::path::Path;

use uuid::Uuid;
use zc_events_protocol::{Clock, Deadline, Stage};

use crate::{Error, Result, key, local_file};

/// The largest blob that a store accepts or returns by default, in bytes: 64 MiB.
pub const MAX_BYTES: usize = 64 << 20;

/// A blob store: a payload that is too large for a message is stored here, and the message carries its key ("claim check").
///
/// A key is a relative path: parts between slashes. No part is empty, `.` or `..`. A part has at most 255 bytes and the key
/// at most 1024. Control characters are not allowed. So each key means the same in every store, and no key leads out of the
/// store. An invalid key is [`Error::Rejected`].
///
/// All calls block, at most until their deadline; only file system calls are not interrupted. May be used from any thread.
/// Repeating a call has the same effect as one call. `S3BlobStore` repeats a call itself after a transient failure.
///
/// ```
/// use std::time::Duration;
/// use zc_events_blobs::{BlobStore, MemoryBlobStore};
/// use zc_events_protocol::{Clock, SystemClock};
///
/// let store = MemoryBlobStore::new();
/// let deadline = SystemClock.deadline(Duration::from_secs(5));
/// store.put("2026-11-23/menu.txt", "text/plain", b"Lunch", deadline)?;
/// assert_eq!(store.take("2026-11-23/menu.txt", deadline)?.as_deref(), Some(&b"Lunch"[..]));
/// assert_eq!(store.get("2026-11-23/menu.txt", deadline)?, None);
/// # Ok::<(), zc_events_blobs::Error>(())
/// ```
pub trait BlobStore: Send + Sync {
    /// Stores `blob` under `key` and replaces an earlier blob. A reader at the same time gets the old blob or the new one,
    /// never a part. Ok means that the blob is durable, as far as the store is. The content type is for other readers of
    /// the store; a store that cannot keep it ignores it.
    ///
    /// # Errors
    /// [`Error::Timeout`] with [`Stage::BlobStore`], [`Error::Unavailable`]: the blob may have been stored.
    /// [`Error::Rejected`]: the store refuses the call. [`Error::TooLarge`]: beyond [`BlobStore::max_bytes`].
    fn put(&self, key: &str, content_type: &str, blob: &[u8], deadline: Deadline) -> Result<()>;

    /// Returns the blob under `key`; `None` if there is no such blob.
    ///
    /// # Errors
    /// As for [`BlobStore::put`].
    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Vec<u8>>>;

    /// Deletes the blob under `key`. A missing blob is not an error.
    ///
    /// # Errors
    /// As for [`BlobStore::put`].
    fn delete(&self, key: &str, deadline: Deadline) -> Result<()>;

    /// The largest blob that the store accepts or returns, in bytes; [`MAX_BYTES`] by default.
    fn max_bytes(&self) -> usize {
        MAX_BYTES
    }

    /// Stores `blob` under a new key, a UUID, and returns the key. Python's `save_string_contents_to_s3` without a key.
    ///
    /// # Errors
    /// As for [`BlobStore::put`].
    fn put_new(&self, content_type: &str, blob: &[u8], deadline: Deadline) -> Result<String> {
        let key = Uuid::new_v4().to_string();
        self.put(&key, content_type, blob, deadline)?;
        Ok(key)
    }

    /// Stores the content of a local file. Python's `save_file_contents_to_s3`.
    ///
    /// # Errors
    /// As for [`BlobStore::put`]; [`Error::UnreadableFile`] if the path is not a readable file.
    fn put_file(&self, key: &str, content_type: &str, path: &Path, deadline: Deadline) -> Result<()> {
        self.put(key, content_type, &local_file::read(path, self.max_bytes())?, deadline)
    }

    /// Returns the blob under `key` and deletes it. Python's `read_s3_file_as_string(.., delete=True)`. If two callers take
    /// the same blob at once, both may get it.
    ///
    /// # Errors
    /// As for [`BlobStore::put`]. After an error the blob was not returned and may still be in the store.
    fn take(&self, key: &str, deadline: Deadline) -> Result<Option<Vec<u8>>> {
        let found = self.get(key, deadline)?;
        if found.is_some() {
            self.delete(key, deadline)?;
        }
        Ok(found)
    }
}

/// Refuses a call whose deadline has passed.
pub(crate) fn check_deadline(clock: &dyn Clock, deadline: Deadline) -> Result<()> {
    if deadline.has_passed(clock) { Err(Error::Timeout { stage: Stage::BlobStore }) } else { Ok(()) }
}

/// Refuses a blob that is larger than the limit.
pub(crate) fn check_size(key: &str, size: usize, limit: usize) -> Result<()> {
    if size > limit {
        return Err(Error::TooLarge { what: format!("the blob {}", key::shown(key)), size, limit });
    }
    Ok(())
}
