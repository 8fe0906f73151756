//! The exit codes: one for each meaning, the same for all commands. docs/cli.md lists them.

use zc_events::Error;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It is done.
    Done,
    /// It failed, for a reason without a code of its own.
    Failed,
    /// The command line, or what was given to read, makes no sense.
    Usage,
    /// A setting is missing or wrong.
    Config,
    /// The broker or the reply store cannot be reached, or takes nothing.
    Unavailable,
    /// A deadline passed.
    Timeout,
    /// Another service answered with a failure.
    Remote,
    /// The message went to nobody, or not to all.
    Undelivered,
    /// The broker or the reply store refused: credentials, permissions.
    Refused,
    /// Ended by this signal.
    Signal(u8),
}

impl Exit {
    /// What the shell gets.
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

    /// What an error of the library means.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::Config { .. } => Exit::Config,
            // All that is sent was given on the command line, or to be read.
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
    fn no_two_have_the_same_code() {
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
