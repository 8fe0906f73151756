//! Why a command failed, for people: one line with the failure, one with a hint. They contain no secrets.

use std::error::Error as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use zc_events::{Environment, Error, EventClient, Outcome, Stage};

use crate::exit::Exit;
use crate::output::{BAD, BOLD, Line};

/// Why a command failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// Empty if nothing should be printed.
    text: String,
    hint: Option<String>,
    /// Whether the message was sent.
    pub(crate) outcome: Outcome,
}

impl Failure {
    pub(crate) fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into(), hint: None, outcome: Outcome::NotSent }
    }

    /// The command line or an input is invalid.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// A failure that prints nothing.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    /// A failed request. If it timed out, the text names the request.
    pub(crate) fn requesting(what: &str, error: Error) -> Self {
        let is_timeout = error.is_timeout();
        let failure = Self::from(error);
        if is_timeout { failure.about(what) } else { failure }
    }

    /// A message that was not confirmed. If the broker blocks publishers, that is the reason, and not the timeout.
    pub(crate) fn sending(client: &EventClient, error: Error) -> Self {
        Self::while_blocked(client.health().blocked_reason.as_deref(), error)
    }

    fn while_blocked(reason: Option<&str>, error: Error) -> Self {
        let outcome = error.outcome();
        let Some(reason) = reason.filter(|_| error.is_timeout()) else { return Self::from(error) };
        let failure = Self::from(Error::Blocked { reason: reason.to_owned() });
        if outcome == Outcome::NotSent {
            return failure;
        }
        let hint = "the broker is low on memory or disk: see `rabbitmq-diagnostics alarms`; it may still accept the message that \
                    was just sent";
        Self { outcome, ..failure }.hint(hint)
    }

    /// Adds a hint.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts `what` and a colon before the text.
    pub(crate) fn about(mut self, what: &str) -> Self {
        self.text = format!("{what}: {}", self.text);
        self
    }

    /// Replaces the text.
    pub(crate) fn with_text(self, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..self }
    }

    /// For one of many failures; the hint comes once at the end.
    pub(crate) fn without_hint(self) -> Self {
        Self { hint: None, ..self }
    }

    /// The text, one line.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Prints the failure to stderr.
    pub(crate) fn print(&self) {
        if self.text.is_empty() {
            return;
        }
        let mut err = anstream::stderr().lock();
        // If stderr is closed, the exit code remains.
        let _ = writeln!(err, "{BAD}error:{BAD:#} {}", Line(&self.text));
        if let Some(hint) = &self.hint {
            let _ = writeln!(err, "{BOLD}hint:{BOLD:#}  {hint}");
        }
    }

    /// Prints the failure and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        self.print();
        ExitCode::from(self.exit.code())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut text = error.to_string();
        // Causes that the text does not contain already.
        let mut cause = error.source();
        while let Some(error) = cause {
            let said = error.to_string();
            if !text.contains(&said) {
                text = format!("{text} ({said})");
            }
            cause = error.source();
        }
        Self { exit: Exit::of(&error), text, hint: hint(&error), outcome: error.outcome() }
    }
}

/// A closed stdout (`| head`) ends the command without a failure.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::silent(Exit::Done),
            _ => Self::new(Exit::Failed, format!("cannot write the result: {error}")),
        }
    }
}

/// A hint, if the error itself gives no advice.
fn hint(error: &Error) -> Option<String> {
    let text = match error {
        // A wrong value needs no hint about the file.
        Error::Config { why } if why.contains("is not set") && !has_env_file() => {
            "there is no .env file in this directory or above, and the environment does not set it; `.env.sample` in \
             the sources lists all settings"
        }
        Error::Timeout { stage: Stage::Reply } => {
            "the request may still be handled; check that its service is running (`zc-events listen` shows all \
             messages), or wait longer with --timeout"
        }
        Error::Timeout { .. } if error.outcome() == Outcome::Unknown => {
            "the message may have been sent: sending it again may duplicate it"
        }
        Error::Timeout { .. } => {
            "nothing was sent; check the broker's load, and that no firewall blocks the connection to BROKER_URL"
        }
        Error::Unroutable { exchange, .. } if exchange.is_empty() => return None,
        Error::Unroutable { .. } => {
            "a service binds its queue when it first starts: check that it has run, and that its STAGING_NAME and \
             EVENTS_EXCHANGE are the same"
        }
        Error::Nacked { .. } => {
            "other services may have received it; check for queues with a length limit or without a leader"
        }
        Error::Blocked { .. } => {
            "nothing was sent; the broker is low on memory or disk: see `rabbitmq-diagnostics alarms`"
        }
        Error::TooLarge { .. } => "nothing was sent; EVENTS_MAX_BODY sets the limit in bytes",
        _ => return None,
    };
    Some(text.to_owned())
}

/// Whether there is a `.env` file; one that cannot be read counts.
fn has_env_file() -> bool {
    Environment::read().map_or(true, |environment| environment.env_file().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_while_the_broker_is_blocked_is_reported_as_blocked() {
        let late = || Error::Timeout { stage: Stage::Confirm };
        let failure = Failure::while_blocked(Some("low on memory"), late());
        assert_eq!((failure.exit, failure.outcome), (Exit::Unavailable, Outcome::Unknown));
        assert!(failure.text().contains("low on memory"), "{failure:?}");
        assert!(failure.hint.is_some_and(|hint| hint.contains("rabbitmq-diagnostics alarms")));
        let failure = Failure::while_blocked(None, late());
        assert!(failure.exit == Exit::Timeout && failure.hint.is_some_and(|hint| hint.contains("duplicate")));
        let other = Failure::while_blocked(Some("low on memory"), Error::Closed);
        assert_eq!(other.exit, Exit::Failed);
    }
}
