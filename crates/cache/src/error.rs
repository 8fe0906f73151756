//! What can go wrong between us and a reply store, named by meaning. Errors of the Redis
//! client are mapped where they arise, in `redis`; none of its types appear here, and no secret.

use std::error::Error as StdError;

use zc_events_protocol::Stage;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call to a reply store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The deadline passed.
    #[error("the deadline passed while {stage}")]
    Timeout {
        /// In which part of the call: with [`Stage::Pool`] (there was no free connection) and
        /// [`Stage::Connect`] nothing reached the store, with [`Stage::Store`] something may have.
        stage: Stage,
    },
    /// There is no connection, or it was lost.
    #[error("{what}")]
    Unavailable {
        /// What was tried, and with which effect.
        what: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The store refused: wrong password, wrong type of key, out of memory, read-only.
    #[error("{why}")]
    Rejected {
        /// What was refused and what would help.
        why: String,
    },
    /// A setting makes no sense.
    #[error("{why}")]
    Config {
        /// What is wrong, without secrets, and what would be right.
        why: String,
    },
}

impl Error {
    /// Whether a deadline passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Error::Timeout { .. })
    }

    /// Whether the same call may succeed later without anything being changed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Error::Timeout { .. } | Error::Unavailable { .. })
    }

    /// The same error for one more caller; the cause stays with the first.
    pub(crate) fn repeated(&self) -> Self {
        match self {
            Error::Timeout { stage } => Error::Timeout { stage: *stage },
            Error::Unavailable { what, .. } => Error::Unavailable { what: what.clone(), source: None },
            Error::Rejected { why } => Error::Rejected { why: why.clone() },
            Error::Config { why } => Error::Config { why: why.clone() },
        }
    }
}
