//! How a command ends when it does not end well. Printing is done once, in [`Failure::report`].

use std::fmt;
use std::process::{ExitCode, ExitStatus};

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a command stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something did not work; the text says what, and what to do.
    Says(String),
    /// A signal (its number) asked us to stop.
    Interrupted(i32),
    /// A program that we ran for its verdict gave a bad one; it has said why itself.
    Verdict {
        /// What was run.
        program: String,
        /// Its exit code, 1 where a signal ended it.
        code: u8,
    },
}

impl Failure {
    /// A failure that says `text`.
    pub(crate) fn says(text: impl Into<String>) -> Self {
        Failure::Says(text.into())
    }

    /// Ok for success, the program's own exit code otherwise.
    pub(crate) fn unless_success(program: &str, status: ExitStatus) -> Result<()> {
        if status.success() {
            return Ok(());
        }
        let code = status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0).unwrap_or(1);
        Err(Failure::Verdict { program: program.to_owned(), code })
    }

    /// Says on stderr what happened and gives the exit code: 1, the program's own, or 128 + the signal.
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("error: {self}");
        match self {
            Failure::Says(_) => ExitCode::FAILURE,
            Failure::Interrupted(signal) => ExitCode::from(128_u8.saturating_add(u8::try_from(*signal).unwrap_or(0))),
            Failure::Verdict { code, .. } => ExitCode::from(*code),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Says(text) => f.write_str(text),
            Failure::Interrupted(signal) => write!(f, "stopped by signal {signal}"),
            Failure::Verdict { program, code } => write!(f, "{program} failed (exit code {code})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn code_of(wait_status: i32) -> Option<u8> {
        match Failure::unless_success("it", ExitStatus::from_raw(wait_status)) {
            Err(Failure::Verdict { code, .. }) => Some(code),
            _ => None,
        }
    }

    #[test]
    fn a_programs_verdict_is_passed_on_and_a_signal_is_never_success() {
        assert_eq!(code_of(0), None);
        assert_eq!(code_of(101 << 8), Some(101));
        assert_eq!(code_of(9), Some(1));
    }
}
