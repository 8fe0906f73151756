//! The kinds of failure that the errors of all layers share, and the questions about them. The error
//! types themselves stand in their own crates.

use std::fmt;

use crate::Stage;

/// What kind of failure an error is. The `Error` types of `zc_events`, of the transport, of the cache and
/// of the blob store answer `kind()`.
///
/// ```
/// use zc_events_protocol::{ErrorKind, Stage};
/// let kind = ErrorKind::Timeout(Stage::Confirm);
/// assert!(kind.is_timeout() && kind.is_retryable());
/// assert_eq!((kind.as_str(), kind.outcome_label()), ("timeout", "timeout_confirm"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The deadline passed in this stage.
    Timeout(Stage),
    /// No queue is bound for the message.
    Unroutable,
    /// A queue refused the message.
    Nacked,
    /// The broker blocks publishers.
    Blocked,
    /// There is no connection, or the connection was lost.
    Unavailable,
    /// A server refused: credentials, permissions, a missing exchange.
    Rejected,
    /// The other service answered a request with a status of 400 or above.
    Remote,
    /// The function that was called failed.
    Call,
    /// The content of an answer or a message cannot be read.
    Decode,
    /// A value cannot be written as a message.
    Encode,
    /// Something is larger than allowed.
    TooLarge,
    /// A setting is missing or invalid.
    Config,
    /// A JSON web token is not accepted.
    Token,
    /// This program closed the client or the connection.
    Closed,
}

impl ErrorKind {
    /// Whether a deadline passed.
    #[must_use]
    pub fn is_timeout(self) -> bool {
        matches!(self, ErrorKind::Timeout(_))
    }

    /// Whether the same call may succeed later without any change. This says nothing about duplicates: the
    /// [`Outcome`](crate::Outcome) does.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, ErrorKind::Timeout(_) | ErrorKind::Nacked | ErrorKind::Blocked | ErrorKind::Unavailable)
    }

    /// The name of the kind, such as `unroutable`. It does not change between versions.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Timeout(_) => "timeout",
            ErrorKind::Unroutable => "unroutable",
            ErrorKind::Nacked => "nacked",
            ErrorKind::Blocked => "blocked",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Rejected => "rejected",
            ErrorKind::Remote => "remote",
            ErrorKind::Call => "call",
            ErrorKind::Decode => "decode",
            ErrorKind::Encode => "encode",
            ErrorKind::TooLarge => "too_large",
            ErrorKind::Config => "config",
            ErrorKind::Token => "token",
            ErrorKind::Closed => "closed",
        }
    }

    /// The value of the label `outcome` in the metrics. It is the name of the kind, except for two cases: a timeout
    /// names its stage, and a failure at the other service is `remote_error` for requests and calls alike.
    #[must_use]
    pub fn outcome_label(self) -> &'static str {
        match self {
            ErrorKind::Timeout(stage) => match stage {
                Stage::Begin => "timeout_begin",
                Stage::Connect => "timeout_connect",
                Stage::Pool => "timeout_pool",
                Stage::InFlight => "timeout_in_flight",
                Stage::Declare => "timeout_declare",
                Stage::Send => "timeout_send",
                Stage::Confirm => "timeout_confirm",
                Stage::Reply => "timeout_reply",
                Stage::Store => "timeout_store",
                Stage::Subscribe | Stage::StorePool | Stage::BlobStore | Stage::Close => "timeout",
            },
            ErrorKind::Remote | ErrorKind::Call => "remote_error",
            other => other.as_str(),
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_pass_by_themselves_are_retryable() {
        let retryable =
            [ErrorKind::Timeout(Stage::Begin), ErrorKind::Nacked, ErrorKind::Blocked, ErrorKind::Unavailable];
        let permanent = [
            ErrorKind::Unroutable,
            ErrorKind::Rejected,
            ErrorKind::Remote,
            ErrorKind::Call,
            ErrorKind::Decode,
            ErrorKind::Encode,
            ErrorKind::TooLarge,
            ErrorKind::Config,
            ErrorKind::Token,
            ErrorKind::Closed,
        ];
        assert!(retryable.into_iter().all(ErrorKind::is_retryable));
        assert!(!permanent.into_iter().any(ErrorKind::is_retryable));
    }

    #[test]
    fn outcome_labels_are_those_of_the_dashboards() {
        for (kind, label) in [
            (ErrorKind::Timeout(Stage::Reply), "timeout_reply"),
            (ErrorKind::Timeout(Stage::StorePool), "timeout"),
            (ErrorKind::Remote, "remote_error"),
            (ErrorKind::Call, "remote_error"),
            (ErrorKind::TooLarge, "too_large"),
        ] {
            assert_eq!(kind.outcome_label(), label, "{kind}");
        }
        assert_eq!(ErrorKind::Call.to_string(), "call");
    }
}
