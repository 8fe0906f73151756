//! Prints the results: each event as JSON, a summary for people, and failures in both cases.

use std::io;
use std::time::Instant;

use indicatif::ProgressBar;
use serde::Serialize;
use zc_events::{Event, Outcome};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{GOOD, Line, Output, counted};
use crate::progress;

/// A line of JSON about an event.
#[derive(Serialize)]
struct Emitted<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    event_type: Option<&'a str>,
    task_id: Option<&'a str>,
    id: Option<&'a str>,
    confirmed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
}

impl<'a> Emitted<'a> {
    fn new(line: Option<u64>, event: Option<&'a Event>, failure: Option<&'a Failure>) -> Self {
        Self {
            line,
            event_type: event.map(Event::event_type),
            task_id: event.map(Event::effective_task_id),
            id: event.map(Event::id),
            confirmed: failure.is_none(),
            error: failure.map(Failure::text),
            outcome: failure.map(|failure| match failure.outcome {
                Outcome::NotSent => "not_sent",
                Outcome::Delivered => "delivered",
                _ => "unknown",
            }),
        }
    }
}

/// Reports a single event; its failure is the command's.
pub(super) fn one(output: Output, event: &Event, emitted: &Result<(), Failure>) -> Result<(), Failure> {
    if output.is_json() {
        output.json(&Emitted::new(None, Some(event), emitted.as_ref().err()))?;
    } else if emitted.is_ok() {
        let (event_type, id) = (Line(event.event_type()), Line(event.effective_task_id()));
        output.text(format_args!("{event_type} {id}: {GOOD}confirmed{GOOD:#} by the broker"))?;
    }
    Ok(())
}

/// Reports many events.
pub(super) struct Report {
    output: Output,
    bar: ProgressBar,
    begun: Instant,
    confirmed: u64,
    failed: u64,
    worst: Option<Failure>,
    /// The text of the last failure; copies of an event report the same failure once.
    last_failure: String,
}

impl Report {
    /// `total` is `None` if the number of events is not known.
    pub(super) fn new(output: Output, total: Option<u64>) -> Self {
        let bar = progress::bar(total, "events");
        Self { output, bar, begun: Instant::now(), confirmed: 0, failed: 0, worst: None, last_failure: String::new() }
    }

    pub(super) fn confirmed(&mut self, number: Option<u64>, event: Option<&Event>) -> Result<(), Failure> {
        self.confirmed += 1;
        self.bar.inc(1);
        self.json(&Emitted::new(number, event, None))
    }

    pub(super) fn failed(
        &mut self,
        number: Option<u64>,
        event: Option<&Event>,
        failure: &Failure,
    ) -> Result<(), Failure> {
        self.failed += 1;
        self.json(&Emitted::new(number, event, Some(failure)))?;
        let failed = match (number, event) {
            (Some(number), _) => failure.clone().about(&format!("line {number}")),
            (None, Some(event)) => failure.clone().about(event.effective_task_id()),
            (None, None) => failure.clone(),
        };
        if number.is_some() || self.last_failure != failure.text() {
            self.bar.suspend(|| failed.without_hint().print());
            self.last_failure = failure.text().to_owned();
        }
        let is_worse = self.worst.as_ref().is_none_or(|worst| severity(failure.exit) > severity(worst.exit));
        if is_worse {
            self.worst = Some(failure.clone());
        }
        Ok(())
    }

    fn json(&self, line: &Emitted<'_>) -> Result<(), Failure> {
        if self.output.is_json() {
            self.bar.suspend(|| self.output.json(line)).map_err(closed)?;
        }
        Ok(())
    }

    /// Prints the summary; the worst failure is the command's. `stopped_after` is the last line or event if the command gave up.
    pub(super) fn end(self, stopped_after: Option<u64>) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        let Self { output, begun, confirmed, failed, worst, .. } = self;
        if !output.is_json() {
            let seconds = begun.elapsed().as_secs_f64();
            let rate = confirmed as f64 / seconds.max(1e-6);
            let events = counted(confirmed, "event", "events");
            output.text(format_args!("{events} {GOOD}confirmed{GOOD:#} in {seconds:.2} s ({rate:.0}/s)"))?;
        }
        let Some(worst) = worst else { return Ok(()) };
        let rest = stopped_after
            .map_or_else(String::new, |last| format!("; stopped after number {last}, the rest was not sent"));
        let were = if failed == 1 { "was" } else { "were" };
        Err(worst.with_text(format!(
            "{failed} of {} {were} not confirmed{rest}",
            counted(confirmed + failed, "event", "events")
        )))
    }
}

/// A closed stdout is a failure here: the user has not seen all confirms.
fn closed(error: io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("stopped because stdout is closed: {error}"))
}

/// Which of several failures determines the exit code: first those that the user must fix.
fn severity(exit: Exit) -> u8 {
    match exit {
        Exit::Config => 7,
        Exit::Refused => 6,
        Exit::Unavailable => 5,
        Exit::Timeout => 4,
        Exit::Undelivered => 3,
        Exit::Failed => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;

    #[test]
    fn the_worst_failure_determines_the_exit_code() {
        let mut report = Report::new(Output::new(Some(Format::Pretty)), None);
        let event = Event::new("e");
        for exit in [Exit::Usage, Exit::Timeout, Exit::Undelivered] {
            report.failed(Some(7), Some(&event), &Failure::new(exit, "no")).unwrap();
        }
        report.confirmed(Some(8), Some(&event)).unwrap();
        let failure = report.end(Some(9)).unwrap_err();
        assert_eq!(failure.exit, Exit::Timeout);
        assert_eq!(failure.text(), "3 of 4 events were not confirmed; stopped after number 9, the rest was not sent");
    }
}
