//! The errors of a reply store, named by meaning. `redis` maps the errors of the Redis client where they occur:
//! no type of that client appears here. No error holds a secret.

use std::error::Error as StdError;

use zc_events_protocol::{ErrorKind, Stage};

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call to a reply store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The deadline passed.
    #[error("the deadline passed while {stage}")]
    Timeout {
        /// The part of the call that ran out of time. After [`Stage::Pool`] (no connection was free) and
        /// [`Stage::Connect`] nothing has reached the store. After [`Stage::Store`] the command may have.
        stage: Stage,
    },
    /// There is no connection, or the connection was lost.
    #[error("{what}")]
    Unavailable {
        /// What was tried, and how it failed.
        what: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The store refused: wrong password, wrong type of key, out of memory or read-only.
    #[error("{why}")]
    Rejected {
        /// What was refused, and what to change.
        why: String,
    },
    /// A setting is invalid.
    #[error("{why}")]
    Config {
        /// What is wrong and what to set instead. Without secrets.
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
            Error::Config { .. } => ErrorKind::Config,
        }
    }

    /// Whether a deadline passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind().is_timeout()
    }

    /// Whether the same call may succeed later without any change.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.kind().is_retryable()
    }

    /// The same error for another caller. The cause stays with the first caller.
    pub(crate) fn repeated(&self) -> Self {
        match self {
            Error::Timeout { stage } => Error::Timeout { stage: *stage },
            Error::Unavailable { what, .. } => Error::Unavailable { what: what.clone(), source: None },
            Error::Rejected { why } => Error::Rejected { why: why.clone() },
            Error::Config { why } => Error::Config { why: why.clone() },
        }
    }
}
