//! The errors of all layers in one type, named by meaning. No variant exposes a type of the layers below, and none
//! shows a secret or a body.

use std::error::Error as StdError;
use std::fmt;

use zc_events_protocol::resource::ResourceError;
use zc_events_protocol::{CallReply, DecodeError, EncodeError, ErrorKind, Outcome, Reply, Stage};
use zc_events_transport as transport;

use crate::remote_failure::{CallFailure, RemoteFailure};

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
///
/// ```
/// use zc_events::{Error, Outcome, Stage};
/// let error = Error::Timeout { stage: Stage::Confirm };
/// assert!(error.is_timeout() && error.is_retryable());
/// // The message may have gone out: sending it again may duplicate it.
/// assert_eq!(error.outcome(), Outcome::Unknown);
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The deadline passed.
    #[error("the deadline passed while {stage}")]
    Timeout {
        /// The part of the call that ran out of time.
        stage: Stage,
    },
    /// No queue is bound for the message.
    #[error("{}", NoQueue(exchange, routing_key))]
    Unroutable {
        /// The exchange.
        exchange: String,
        /// The routing key.
        routing_key: String,
    },
    /// A queue refused the message. Other services may have received it.
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
    /// The broker, the reply store or the blob store cannot be reached, or the connection was lost.
    #[error("{what}")]
    Unavailable {
        /// What was tried, and what to check.
        what: String,
        /// What happened to the message.
        outcome: Outcome,
        /// The cause.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The broker, the reply store or the blob store refused: credentials, virtual host, permissions, a
    /// missing exchange or bucket.
    #[error("{why}")]
    Rejected {
        /// What was refused, and what to change.
        why: String,
        /// What happened to the message. If the reply store refused, the message was sent before.
        outcome: Outcome,
    },
    /// The other service answered with a failure, a status of 400 or above.
    #[error("{resource}: the other service answered with status {status}")]
    Remote {
        /// The resource that was requested.
        resource: String,
        /// The HTTP status.
        status: u16,
        /// The answer. It is not shown, because it may contain secrets.
        failure: RemoteFailure,
    },
    /// The function that was called failed.
    #[error("the call of `{key}` failed at the other service{}", ErrorType(failure))]
    Call {
        /// The key of the function.
        key: String,
        /// The answer. It is not shown, because it may contain secrets.
        failure: CallFailure,
    },
    /// An answer or a message does not have the expected form.
    #[error("{what} cannot be read: {source}")]
    Decode {
        /// What was read.
        what: String,
        /// Why it cannot be read.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A value cannot be written as a message.
    #[error("{source}")]
    Encode {
        /// Why it cannot be written.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Something is larger than allowed.
    #[error("{what} is {size} bytes long; at most {limit} are allowed")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A setting is missing or invalid.
    #[error("{why}")]
    Config {
        /// Which setting, what is wrong with it, and what to set instead. Without secrets.
        why: String,
    },
    /// A JSON web token is not accepted.
    #[error("the JSON web token is not accepted: {why}")]
    Token {
        /// What is wrong with it. The token itself is not shown.
        why: &'static str,
    },
    /// This program closed the client.
    #[error("this program has closed the client")]
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
            Error::Remote { .. } => ErrorKind::Remote,
            Error::Call { .. } => ErrorKind::Call,
            Error::Decode { .. } => ErrorKind::Decode,
            Error::Encode { .. } => ErrorKind::Encode,
            Error::TooLarge { .. } => ErrorKind::TooLarge,
            Error::Config { .. } => ErrorKind::Config,
            Error::Token { .. } => ErrorKind::Token,
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
            Error::Unavailable { outcome, .. } | Error::Rejected { outcome, .. } => *outcome,
            Error::Nacked { .. } => Outcome::Unknown,
            Error::Remote { .. } | Error::Call { .. } | Error::Decode { .. } => Outcome::Delivered,
            _ => Outcome::NotSent,
        }
    }

    /// The HTTP status of the answer, such as 404, if the other service answered with 400 or above.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Error::Remote { status, .. } => Some(*status),
            _ => None,
        }
    }

    pub(crate) fn config(why: impl Into<String>) -> Self {
        Error::Config { why: why.into() }
    }

    pub(crate) fn remote(resource: &str, reply: Reply) -> Self {
        Error::Remote { resource: resource.to_owned(), status: reply.status, failure: RemoteFailure::new(reply) }
    }

    pub(crate) fn failed_call(key: &str, reply: &CallReply) -> Self {
        Error::Call { key: key.to_owned(), failure: CallFailure::new(reply.errors()) }
    }

    pub(crate) fn decode(what: &str, error: impl StdError + Send + Sync + 'static) -> Self {
        Error::Decode { what: what.to_owned(), source: Box::new(error) }
    }
}

/// Says that no queue is bound. A message for one queue goes to the default exchange, whose name is empty.
struct NoQueue<'a>(&'a str, &'a str);

impl fmt::Display for NoQueue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(exchange, routing_key) = self;
        if exchange.is_empty() {
            return write!(f, "the queue `{routing_key}` does not exist; start its service once to declare it");
        }
        write!(f, "no queue is bound to exchange `{exchange}` (routing key `{routing_key}`)")
    }
}

/// The type of the first error of a call, if it looks like a name.
struct ErrorType<'a>(&'a CallFailure);

impl fmt::Display for ErrorType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_name =
            |kind: &str| kind.len() <= 64 && kind.bytes().all(|it| it.is_ascii_alphanumeric() || b"_.".contains(&it));
        match self.0.errors().first() {
            Some(error) if is_name(&error.kind) => write!(f, ": {}", error.kind),
            _ => Ok(()),
        }
    }
}

impl From<transport::Error> for Error {
    fn from(error: transport::Error) -> Self {
        use transport::Error as From;
        match error {
            From::Timeout { stage } => Error::Timeout { stage },
            From::Unroutable { exchange, routing_key } => Error::Unroutable { exchange, routing_key },
            From::Nacked { exchange } => Error::Nacked { exchange },
            From::Blocked { reason } => Error::Blocked { reason },
            From::Unavailable { what, outcome, source } => Error::Unavailable { what, outcome, source },
            From::Rejected { why } => Error::Rejected { why, outcome: Outcome::NotSent },
            From::TooLarge { what, size, limit } => Error::TooLarge { what: what.to_owned(), size, limit },
            From::Config { why } => Error::Config { why },
            From::Closed => Error::Closed,
            other => Error::Rejected { why: other.to_string(), outcome: Outcome::Unknown },
        }
    }
}

/// Names the setting that an error of the reply store is about.
fn in_redis_url(why: impl fmt::Display) -> String {
    format!("EVENTS_REDIS_URL: {why}")
}

/// The client uses the reply store after it has sent the request. Whatever fails at the store, the outcome of the
/// request is unknown.
impl From<zc_events_cache::Error> for Error {
    fn from(error: zc_events_cache::Error) -> Self {
        use zc_events_cache::Error as From;
        match error {
            From::Timeout { stage: Stage::Pool } => Error::Timeout { stage: Stage::StorePool },
            From::Timeout { .. } => Error::Timeout { stage: Stage::Store },
            From::Unavailable { what, source } => {
                Error::Unavailable { what: in_redis_url(what), outcome: Outcome::Unknown, source }
            }
            From::Rejected { why } => Error::Rejected { why: in_redis_url(why), outcome: Outcome::Unknown },
            From::Config { why } => Error::Config { why: in_redis_url(why) },
            other => Error::Rejected { why: in_redis_url(other), outcome: Outcome::Unknown },
        }
    }
}

/// Errors of the blob store, which is used before a message is sent: no message was sent.
impl From<zc_events_blobs::Error> for Error {
    fn from(error: zc_events_blobs::Error) -> Self {
        use zc_events_blobs::Error as From;
        match error {
            From::Timeout { stage } => Error::Timeout { stage },
            From::Unavailable { what, source } => Error::Unavailable { what, outcome: Outcome::NotSent, source },
            From::Rejected { why } => Error::Rejected { why, outcome: Outcome::NotSent },
            From::TooLarge { what, size, limit } => Error::TooLarge { what, size, limit },
            From::Config { why } => Error::Config { why },
            unreadable @ From::UnreadableFile { .. } => Error::Encode { source: Box::new(unreadable) },
            other => Error::Rejected { why: other.to_string(), outcome: Outcome::NotSent },
        }
    }
}

impl From<EncodeError> for Error {
    fn from(error: EncodeError) -> Self {
        if let EncodeError::TooLarge { what, size, limit } = error {
            return Error::TooLarge { what: format!("the {what}"), size, limit };
        }
        Error::Encode { source: Box::new(error) }
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Error::decode("the answer", error)
    }
}

impl From<ResourceError> for Error {
    fn from(error: ResourceError) -> Self {
        Error::decode("the resource", error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversion_keeps_the_kind() {
        use transport::Error as Broker;
        use zc_events_cache::Error as Store;
        let text = || "text".to_owned();
        for error in [
            Broker::Timeout { stage: Stage::Confirm },
            Broker::Unroutable { exchange: text(), routing_key: text() },
            Broker::Nacked { exchange: text() },
            Broker::Blocked { reason: text() },
            Broker::Unavailable { what: text(), outcome: Outcome::Unknown, source: None },
            Broker::Rejected { why: text() },
            Broker::TooLarge { what: "the body", size: 2, limit: 1 },
            Broker::Config { why: text() },
            Broker::Closed,
        ] {
            let kind = error.kind();
            assert_eq!(Error::from(error).kind(), kind);
        }
        for error in [
            Store::Unavailable { what: text(), source: None },
            Store::Rejected { why: text() },
            Store::Config { why: text() },
        ] {
            let kind = error.kind();
            assert_eq!(Error::from(error).kind(), kind);
        }
        // The client has stages of its own for the reply store.
        let timeout = |stage| Error::from(Store::Timeout { stage }).kind();
        assert_eq!(timeout(Stage::Pool), ErrorKind::Timeout(Stage::StorePool));
        assert_eq!(timeout(Stage::Store), ErrorKind::Timeout(Stage::Store));
    }

    #[test]
    fn only_the_reply_store_is_used_after_the_message_was_sent() {
        let why = || "no".to_owned();
        assert_eq!(Error::from(zc_events_cache::Error::Rejected { why: why() }).outcome(), Outcome::Unknown);
        assert_eq!(Error::from(transport::Error::Rejected { why: why() }).outcome(), Outcome::NotSent);
        assert_eq!(Error::from(zc_events_blobs::Error::Rejected { why: why() }).outcome(), Outcome::NotSent);
        let timeout = zc_events_blobs::Error::Timeout { stage: Stage::BlobStore };
        assert_eq!(Error::from(timeout).outcome(), Outcome::NotSent);
    }
}
