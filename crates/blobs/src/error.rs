//! Errors of a blob store, named by meaning. Errors of the HTTP client and of the file system are mapped where they
//! arise; no type of theirs but `io::Error` appears here. No error contains a secret or a blob.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use zc_events_protocol::{ErrorKind, Stage};

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call to a blob store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The deadline passed. The blob may have been stored or deleted.
    #[error("the deadline passed while {stage}")]
    Timeout {
        /// In which part of the call: [`Stage::BlobStore`].
        stage: Stage,
    },
    /// The store is unreachable, or the connection was lost. The blob may have been stored or deleted.
    #[error("{what}")]
    Unavailable {
        /// What failed, and which setting to check.
        what: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The store refused the call: an invalid key, wrong credentials, no permission, a missing bucket.
    #[error("{why}")]
    Rejected {
        /// What was refused, and how to fix it.
        why: String,
    },
    /// The blob is larger than the limit.
    #[error("{what} is {size} bytes long; at most {limit} are allowed")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The size in bytes.
        size: usize,
        /// The largest allowed size in bytes.
        limit: usize,
    },
    /// A local file cannot be read.
    #[error("the file {} cannot be read: {source}", path.display())]
    UnreadableFile {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// An option is missing or invalid.
    #[error("{why}")]
    Config {
        /// Which option is wrong, and what would be right. Without secrets.
        why: String,
    },
}

impl Error {
    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Timeout { stage } => ErrorKind::Timeout(*stage),
            Error::Unavailable { .. } => ErrorKind::Unavailable,
            Error::Rejected { .. } => ErrorKind::Rejected,
            Error::TooLarge { .. } => ErrorKind::TooLarge,
            Error::UnreadableFile { .. } => ErrorKind::Encode,
            Error::Config { .. } => ErrorKind::Config,
        }
    }

    /// Whether a deadline passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind().is_timeout()
    }

    /// Whether the same call may succeed later without any change. Repeating a call does no harm.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.kind().is_retryable()
    }

    #[cfg(feature = "s3")]
    pub(crate) fn config(why: impl Into<String>) -> Self {
        Error::Config { why: why.into() }
    }

    pub(crate) fn rejected(why: impl Into<String>) -> Self {
        Error::Rejected { why: why.into() }
    }

    pub(crate) fn unavailable(what: impl Into<String>) -> Self {
        Error::Unavailable { what: what.into(), source: None }
    }
}
