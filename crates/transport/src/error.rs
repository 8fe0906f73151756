//! What can go wrong between us and a broker, named by meaning. Errors of amiquip are
//! mapped where they arise, in `amqp`; none of its types appear here, and no secret.

use std::error::Error as StdError;

use zc_events_protocol::{Outcome, Stage};

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call to a broker failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The deadline passed.
    #[error("the deadline passed while {stage}")]
    Timeout {
        /// In which part of the call.
        stage: Stage,
    },
    /// The message is mandatory and no queue takes it.
    #[error(
        "no queue is bound to exchange `{exchange}` for routing key `{routing_key}`: nobody would have received the message"
    )]
    Unroutable {
        /// The exchange.
        exchange: String,
        /// The routing key.
        routing_key: String,
    },
    /// A queue refused the message (full, or its leader is gone). Other queues may have it.
    #[error("the broker refused the message (nack): a queue behind exchange `{exchange}` is full or has no leader")]
    Nacked {
        /// The exchange.
        exchange: String,
    },
    /// The broker takes no messages for now.
    #[error("the broker accepts no messages: {reason}")]
    Blocked {
        /// In the broker's words, such as "low on memory".
        reason: String,
    },
    /// There is no connection, or it was lost.
    #[error("{what}")]
    Unavailable {
        /// What was tried, and with which effect.
        what: String,
        /// What became of the message, if there was one.
        outcome: Outcome,
        /// The cause.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The broker refused: wrong credentials, a missing virtual host or exchange, no permission.
    #[error("{why}")]
    Rejected {
        /// What was refused and what would help.
        why: String,
    },
    /// Something is larger than the wire allows.
    #[error("{what} is {size} bytes long; at most {limit} are allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is, in bytes.
        size: usize,
        /// How large it may be, in bytes.
        limit: usize,
    },
    /// A setting makes no sense.
    #[error("{why}")]
    Config {
        /// What is wrong, without secrets, and what would be right.
        why: String,
    },
    /// The broker handle was closed.
    #[error("the connection was closed by this program")]
    Closed,
}

impl Error {
    /// Whether a deadline passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Error::Timeout { .. })
    }

    /// Whether the same call may succeed later without anything being changed. It says
    /// nothing about duplicates: for that, ask [`Error::outcome`].
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Error::Timeout { .. } | Error::Nacked { .. } | Error::Blocked { .. } | Error::Unavailable { .. })
    }

    /// What became of the message.
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
