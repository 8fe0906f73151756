//! Contents: what is too large for a message and travels beside it. Bodies and attachments of e-mails and the batches of
//! an index rebuild lie in a store, an S3 bucket in the fleet, and the events carry their keys.
//!
//! Here is the contract and what all stores share. Each store has a file of its own; which one the settings mean is in
//! `open`; what is stored is known to whoever stores it.
//!
//! | store | where |
//! |---|---|
//! | [`MemoryStore`] | in this process |
//! | [`FolderStore`] | files in a folder |
//! | `S3Store` | a bucket of S3, or of a server that speaks like it; with the feature `s3` |

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod file;
mod folder;
mod key;
mod memory;
mod open;
#[cfg(feature = "s3")]
mod s3;

use std::path::Path;

use uuid::Uuid;
use zc_events_protocol::{Clock, Deadline, Outcome, Stage};

use crate::{Error, Result};

pub use folder::FolderStore;
pub use memory::MemoryStore;
#[cfg(feature = "s3")]
pub use s3::{Addressing, S3Options, S3Store};

pub(crate) use file::{check as check_file, name as file_name, read as read_file};
pub(crate) use open::{Bucket, Opened};

/// The largest content that a store takes or hands out unless told otherwise, in bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// The bucket of e-mails that Python's programs have built in.
pub(crate) const EMAIL_BUCKET: &str = "zc-mp-email";

/// Where contents lie, each under its key.
///
/// A key is a relative path: parts between slashes, none of them empty, `.` or `..`, of at most 255 bytes each and 1024
/// altogether, without control characters. So each key means the same in every store, and none leads out of it. A key
/// that is none is [`Error::Rejected`].
///
/// All calls block, at most until their deadline; what an operating system does with a file is outside of that. May be
/// used from any thread. Each call may be made again with the same effect as once; [`S3Store`](crate::content) does so
/// by itself after a failure that passes.
///
/// ```
/// use std::time::Duration;
/// use zc_events::content::{ContentStore, MemoryStore};
/// use zc_events::{Clock, SystemClock};
///
/// let store = MemoryStore::new();
/// let soon = || SystemClock.deadline(Duration::from_secs(5));
/// store.put("2026-11-23/menu.txt", "text/plain", b"Lunch", soon())?;
/// assert_eq!(store.take("2026-11-23/menu.txt", soon())?.as_deref(), Some(&b"Lunch"[..]));
/// assert_eq!(store.get("2026-11-23/menu.txt", soon())?, None);
/// # Ok::<(), zc_events::Error>(())
/// ```
pub trait ContentStore: Send + Sync {
    /// Stores `content` under `key`, in place of what was there. Whoever reads at the same time gets the one or the
    /// other, never a part. Ok means that it is there to stay, as far as the store has such a place. The content type is
    /// for those who read past us; stores without a place for it forget it.
    ///
    /// # Errors
    /// [`Error::Timeout`] with [`Stage::Content`], [`Error::Unavailable`]: the content may be there or not.
    /// [`Error::Rejected`]: the store refuses. [`Error::TooLarge`]: beyond [`ContentStore::max_bytes`].
    fn put(&self, key: &str, content_type: &str, content: &[u8], deadline: Deadline) -> Result<()>;

    /// What lies under `key`; `None` where nothing does.
    ///
    /// # Errors
    /// As for [`ContentStore::put`].
    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Vec<u8>>>;

    /// Removes what lies under `key`. Nothing there is as good.
    ///
    /// # Errors
    /// As for [`ContentStore::put`].
    fn delete(&self, key: &str, deadline: Deadline) -> Result<()>;

    /// The largest content that is taken or handed out, in bytes; [`MAX_BYTES`] unless the store says otherwise.
    fn max_bytes(&self) -> usize {
        MAX_BYTES
    }

    /// Stores `content` under a fresh key, a UUID, and gives that. Python's `save_string_contents_to_s3` without a key.
    ///
    /// # Errors
    /// As for [`ContentStore::put`].
    fn put_new(&self, content_type: &str, content: &[u8], deadline: Deadline) -> Result<String> {
        let key = Uuid::new_v4().to_string();
        self.put(&key, content_type, content, deadline)?;
        Ok(key)
    }

    /// Stores what a file holds. Python's `save_file_contents_to_s3`.
    ///
    /// # Errors
    /// As for [`ContentStore::put`]; [`Error::Encode`] where the file cannot be read or is none.
    fn put_file(&self, key: &str, content_type: &str, path: &Path, deadline: Deadline) -> Result<()> {
        self.put(key, content_type, &file::read(path, self.max_bytes())?, deadline)
    }

    /// Gives what lies under `key` and removes it. Python's `read_s3_file_as_string(.., delete=True)`. Of two who take at
    /// once, both may get it.
    ///
    /// # Errors
    /// As for [`ContentStore::put`]; whatever fails, what was not handed out is still there.
    fn take(&self, key: &str, deadline: Deadline) -> Result<Option<Vec<u8>>> {
        let found = self.get(key, deadline)?;
        if found.is_some() {
            self.delete(key, deadline)?;
        }
        Ok(found)
    }
}

/// Refuses to begin with what has no time left.
fn in_time(clock: &dyn Clock, deadline: Deadline) -> Result<()> {
    if deadline.has_passed(clock) { Err(Error::Timeout { stage: Stage::Content }) } else { Ok(()) }
}

/// Refuses a content that is larger than allowed.
fn fits(key: &str, size: usize, limit: usize) -> Result<()> {
    if size > limit {
        return Err(Error::TooLarge { what: format!("the content under {}", key::shown(key)), size, limit });
    }
    Ok(())
}

/// A refusal, of which no message comes.
fn rejected(why: String) -> Error {
    Error::Rejected { why, outcome: Outcome::NotSent }
}
