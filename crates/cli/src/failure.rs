//! Why a command failed, in one or two lines for people: what, and what to do about it. No secret stands in one.

use std::error::Error as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use zc_events::{Error, EventClient, Outcome, Stage};

use crate::exit::Exit;
use crate::output::{BAD, BOLD, Line};

/// Why a command failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// Empty where there is nothing to say.
    text: String,
    hint: Option<String>,
    /// What became of the message, if there was one.
    pub(crate) outcome: Outcome,
}

impl Failure {
    pub(crate) fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into(), hint: None, outcome: Outcome::NotSent }
    }

    /// The command line, or what was given to read, makes no sense.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// An end that was announced already, or needs no words.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    /// Why something that was asked has no answer: of a deadline, what it was that waited.
    pub(crate) fn asking(what: &str, error: Error) -> Self {
        let is_timeout = error.is_timeout();
        let failure = Self::from(error);
        if is_timeout { failure.about(what) } else { failure }
    }

    /// Why something was not confirmed: where the broker takes nothing, that is why, and no deadline that was too short.
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
        let hint = "the broker's memory or disk is low: see `rabbitmq-diagnostics alarms`; what was handed over just now may \
                    still be taken once that is over";
        Self { outcome, ..failure }.hint(hint)
    }

    /// Says what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With what it is about in front.
    pub(crate) fn about(mut self, what: &str) -> Self {
        self.text = format!("{what}: {}", self.text);
        self
    }

    /// In other words, with the same hint.
    pub(crate) fn retold(self, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..self }
    }

    /// For one of many, whose hint comes at the end.
    pub(crate) fn without_hint(self) -> Self {
        Self { hint: None, ..self }
    }

    /// What failed, in one line.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Tells it on stderr.
    pub(crate) fn print(&self) {
        if self.text.is_empty() {
            return;
        }
        let mut err = anstream::stderr().lock();
        // Where stderr is closed there is nobody to tell.
        let _ = writeln!(err, "{BAD}error:{BAD:#} {}", Line(&self.text));
        if let Some(hint) = &self.hint {
            let _ = writeln!(err, "{BOLD}hint:{BOLD:#}  {hint}");
        }
    }

    /// Tells it, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        self.print();
        ExitCode::from(self.exit.code())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut text = error.to_string();
        // What the cause adds, where the text does not say it already.
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

/// A closed stdout (`| head`) is a wish to end, and no failure.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::silent(Exit::Done),
            _ => Self::new(Exit::Failed, format!("cannot write the result: {error}")),
        }
    }
}

/// What to do about it, where the error itself does not say so.
fn hint(error: &Error) -> Option<String> {
    let text = match error {
        // A setting that is there and wrong is not looked for in a file.
        Error::Config { why } if why.contains("is not set") && !has_env_file() => {
            "there is no file .env here or above, so only the environment counts; `.env.sample` in the sources \
             names all settings"
        }
        Error::Timeout { stage: Stage::Reply } => {
            "it may still be handled; is a service for it running? `zc-events listen` shows what passes, \
             --timeout waits longer"
        }
        Error::Timeout { .. } if error.outcome() == Outcome::Unknown => {
            "whether the message went out is not known: sending it again may duplicate it"
        }
        Error::Timeout { .. } => {
            "nothing was sent; is the broker that BROKER_URL leads to overloaded, or a firewall in between?"
        }
        Error::Unroutable { exchange, .. } if exchange.is_empty() => return None,
        Error::Unroutable { .. } => {
            "services bind their queues when they first start: is one running, and are STAGING_NAME and \
             EVENTS_EXCHANGE the ones that it has?"
        }
        Error::Nacked { .. } => {
            "other services may have received it; look for queues with a length limit, or without a leader"
        }
        Error::Blocked { .. } => {
            "nothing was sent; the broker's memory or disk is low: see `rabbitmq-diagnostics alarms`"
        }
        Error::TooLarge { .. } => "EVENTS_MAX_BODY is the limit, in bytes; nothing was sent",
        _ => return None,
    };
    Some(text.to_owned())
}

/// Whether there is a `.env` where the library looks for it.
fn has_env_file() -> bool {
    let here = std::env::current_dir().unwrap_or_default();
    here.ancestors().any(|folder: &Path| folder.join(".env").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirm_that_does_not_come_while_the_broker_is_blocked_is_the_brokers_lack_of_room() {
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
