//! Why a connection gave no reply that can be trusted.

use std::io;

use super::reply_scanner::InvalidReply;

/// Why there is no reply. The connection must not be used again.
#[derive(Debug)]
pub(super) enum IoFailure {
    TimedOut,
    /// The server closed the connection.
    Closed,
    Lost(io::Error),
    /// The reply does not fit the command, or is not the protocol of Redis.
    Garbage,
    /// A value is larger than the limit.
    TooLarge,
}

impl From<io::Error> for IoFailure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => IoFailure::TimedOut,
            io::ErrorKind::UnexpectedEof => IoFailure::Closed,
            _ => IoFailure::Lost(error),
        }
    }
}

impl From<InvalidReply> for IoFailure {
    fn from(invalid: InvalidReply) -> Self {
        match invalid {
            InvalidReply::Garbage => IoFailure::Garbage,
            InvalidReply::TooLarge => IoFailure::TooLarge,
        }
    }
}
