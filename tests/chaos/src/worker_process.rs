//! A service in a child process, which reports the begin and end of its handlers. For rows whose fault ends the process.

use std::time::Duration;

use zc_events::{Context, EventClient, HandlerError, Service, Settings, SettingsBuilder, Value};

use super::row::Done;
use super::{Child, Fixture, say};
use integration_tests::unique;

/// How long a child may take to consume.
const START: Duration = Duration::from_secs(60);

/// A service whose worker processes a row starts and kills.
pub(super) struct WorkerProcesses {
    name: &'static str,
    exchange: String,
    service: String,
    attempts: u32,
    prefetch: u16,
}

/// A line that a worker process prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HandlerLine {
    /// A handler begins, with what its context says.
    Begun { id: u64, redelivered: bool, attempt: u32 },
    /// It is about to return.
    Done { id: u64, redelivered: bool },
}

impl WorkerProcesses {
    /// For the child of the row `name`.
    pub(super) fn new(name: &'static str, attempts: u32, prefetch: u16) -> Self {
        Self { name, exchange: unique(name), service: unique(name), attempts, prefetch }
    }

    /// The settings of a client that emits to the service.
    pub(super) fn settings(&self, fixture: &Fixture) -> SettingsBuilder {
        fixture.settings(self.name).events_exchange(&self.exchange)
    }

    /// A queue of the service: `-events` and what is behind it.
    pub(super) fn queue(&self, rest: &str) -> String {
        format!("{}-events{rest}", self.service)
    }

    /// Starts a process. It consumes when this returns.
    pub(super) fn start(&self, fixture: &Fixture) -> Result<Child, Box<dyn std::error::Error>> {
        let environment = [
            ("BROKER_URL", fixture.broker_url().to_owned()),
            ("CELERY_BROKER_URL", fixture.broker_url().to_owned()),
            ("EVENTS_REDIS_URL", fixture.redis_url().to_owned()),
            ("EVENTS_EXCHANGE", self.exchange.clone()),
            ("SERVICE_NAME", self.service.clone()),
            ("EVENTS_ATTEMPTS", self.attempts.to_string()),
            ("EVENTS_PREFETCH", self.prefetch.to_string()),
        ];
        let child = fixture.child(self.name, &environment)?;
        match child.line(START).as_deref() {
            Some(READY) => Ok(child),
            other => Err(format!("a process of the service does not start: {other:?}").into()),
        }
    }
}

const READY: &str = "ready";

/// Runs the service in the child process, with `work` as the handler for `count`.
pub(super) fn serve(work: fn(u64)) -> Done {
    let client = EventClient::new(Settings::from_env()?)?;
    let service = Service::builder(&client)
        .on("count", move |context: &Context, payload: Value| {
            let id = payload["n"].as_u64().ok_or_else(|| HandlerError::new("no number"))?;
            let redelivered = u8::from(context.is_redelivered());
            say(&format!("begun {id} {redelivered} {}", context.attempt()));
            work(id);
            say(&format!("done {id} {redelivered}"));
            Ok(())
        })
        .start()?;
    say(READY);
    service.run_until_signal()?;
    Ok(())
}

/// Parses a line of a child process. Other lines give `None`.
pub(super) fn parse_line(line: &str) -> Option<HandlerLine> {
    let mut words = line.split(' ');
    let what = words.next()?;
    let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
    let (id, redelivered) = (number()?, number()? == 1);
    match what {
        "begun" => Some(HandlerLine::Begun { id, redelivered, attempt: u32::try_from(number()?).ok()? }),
        "done" => Some(HandlerLine::Done { id, redelivered }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_others_are_not() {
        assert_eq!(parse_line("begun 7 1 2"), Some(HandlerLine::Begun { id: 7, redelivered: true, attempt: 2 }));
        assert_eq!(parse_line("done 7 0"), Some(HandlerLine::Done { id: 7, redelivered: false }));
        for line in ["", READY, "begun", "begun 7 1", "done x 1", "ended 7 1 1"] {
            assert_eq!(parse_line(line), None, "{line}");
        }
    }
}
