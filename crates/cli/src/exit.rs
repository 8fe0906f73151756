//! The exit codes, which are the same for all commands. docs/cli.md lists them.

use zc_events::Error;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Success.
    Done,
    /// A failure without its own code.
    Failed,
    /// The command line or an input is invalid.
    Usage,
    /// A setting is missing or wrong.
    Config,
    /// The broker or the reply store is unreachable, or the broker blocks publishers.
    Unavailable,
    /// A deadline passed.
    Timeout,
    /// Another service replied with a failure.
    Remote,
    /// No queue received the message, or one refused it.
    Undelivered,
    /// The broker or the reply store rejected the login or a permission is missing.
    Refused,
    /// Ended by this signal.
    Signal(u8),
}

impl Exit {
    /// The code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Config => 3,
            Exit::Unavailable => 4,
            Exit::Timeout => 5,
            Exit::Remote => 6,
            Exit::Undelivered => 7,
            Exit::Refused => 8,
            Exit::Signal(signal) => 128_u8.saturating_add(signal),
        }
    }

    /// The exit of an error of the library.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::Config { .. } => Exit::Config,
            // The message was built from the command line or an input.
            Error::Encode { .. } => Exit::Usage,
            Error::Unavailable { .. } | Error::Blocked { .. } => Exit::Unavailable,
            Error::Timeout { .. } => Exit::Timeout,
            Error::Remote { .. } | Error::Call { .. } => Exit::Remote,
            Error::Unroutable { .. } | Error::Nacked { .. } => Exit::Undelivered,
            Error::Rejected { .. } => Exit::Refused,
            _ => Exit::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_different() {
        let all = [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::Config,
            Exit::Unavailable,
            Exit::Timeout,
            Exit::Remote,
            Exit::Undelivered,
            Exit::Refused,
            Exit::Signal(2),
        ];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4, 5, 6, 7, 8, 130]);
    }
}
