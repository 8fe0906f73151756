//! The errors of a broker, named by meaning. `amqp` maps the errors of amiquip where they occur: no type of
//! amiquip appears here. No error holds a secret.

use std::error::Error as StdError;

use zc_events_protocol::{ErrorKind, Outcome, Stage};

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call to a broker failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The deadline passed.
    #[error("the deadline passed while {stage}")]
    Timeout {
        /// The part of the call that ran out of time.
        stage: Stage,
    },
    /// The message is mandatory, and no queue is bound for it.
    #[error("no queue is bound to exchange `{exchange}` (routing key `{routing_key}`)")]
    Unroutable {
        /// The exchange.
        exchange: String,
        /// The routing key.
        routing_key: String,
    },
    /// A queue refused the message: it is full or has no leader. Other queues may have the message.
    #[error("the broker refused the message (nack): a queue behind exchange `{exchange}` is full or has no leader")]
    Nacked {
        /// The exchange.
        exchange: String,
    },
    /// The broker blocks publishers for now.
    #[error("the broker accepts no messages: {reason}")]
    Blocked {
        /// The broker's reason, such as "low on memory".
        reason: String,
    },
    /// There is no connection, or the connection was lost.
    #[error("{what}")]
    Unavailable {
        /// What was tried, and how it failed.
        what: String,
        /// What happened to the message, if there was one.
        outcome: Outcome,
        /// The cause.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The broker refused: wrong credentials, a missing virtual host or exchange, a missing permission.
    #[error("{why}")]
    Rejected {
        /// What was refused, and what to change.
        why: String,
    },
    /// Something is larger than the wire allows.
    #[error("{what} is {size} bytes long; at most {limit} are allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A setting is invalid.
    #[error("{why}")]
    Config {
        /// What is wrong and what to set instead. Without secrets.
        why: String,
    },
    /// This program closed the broker handle.
    #[error("this program has closed the connection")]
    Closed,
}

impl Error {
    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Timeout { stage } => ErrorKind::Timeout(*stage),
            Error::Unroutable { .. } => ErrorKind::Unroutable,
            Error::Nacked { .. } => ErrorKind::Nacked,
            Error::Blocked { .. } => ErrorKind::Blocked,
            Error::Unavailable { .. } => ErrorKind::Unavailable,
            Error::Rejected { .. } => ErrorKind::Rejected,
            Error::TooLarge { .. } => ErrorKind::TooLarge,
            Error::Config { .. } => ErrorKind::Config,
            Error::Closed => ErrorKind::Closed,
        }
    }

    /// Whether a deadline passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind().is_timeout()
    }

    /// Whether the same call may succeed later without any change. This says nothing about
    /// duplicates: [`Error::outcome`] does.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.kind().is_retryable()
    }

    /// What happened to the message.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Error::Timeout { stage } => stage.outcome(),
            Error::Unavailable { outcome, .. } => *outcome,
            Error::Nacked { .. } => Outcome::Unknown,
            _ => Outcome::NotSent,
        }
    }
}
