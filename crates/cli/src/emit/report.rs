//! What is said of the events: of each where that is JSON, of all together where it is for people, of failures always.

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

/// Of one event alone; its failure is the command's.
pub(super) fn one(output: Output, event: &Event, emitted: &Result<(), Failure>) -> Result<(), Failure> {
    if output.is_json() {
        output.json(&Emitted::new(None, Some(event), emitted.as_ref().err()))?;
    } else if emitted.is_ok() {
        let (event_type, id) = (Line(event.event_type()), Line(event.effective_task_id()));
        output.text(format_args!("{event_type} {id}: {GOOD}confirmed{GOOD:#} by the broker"))?;
    }
    Ok(())
}

/// Of many.
pub(super) struct Report {
    output: Output,
    bar: ProgressBar,
    begun: Instant,
    confirmed: u64,
    failed: u64,
    worst: Option<Failure>,
    /// What was said of the last failure: of events that are all the same it is said once.
    told: String,
}

impl Report {
    /// Of so many, where that is known.
    pub(super) fn new(output: Output, total: Option<u64>) -> Self {
        let bar = progress::bar(total, "events");
        Self { output, bar, begun: Instant::now(), confirmed: 0, failed: 0, worst: None, told: String::new() }
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
        let told = match (number, event) {
            (Some(number), _) => failure.clone().about(&format!("line {number}")),
            (None, Some(event)) => failure.clone().about(event.effective_task_id()),
            (None, None) => failure.clone(),
        };
        if number.is_some() || self.told != failure.text() {
            self.bar.suspend(|| told.without_hint().print());
            self.told = failure.text().to_owned();
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

    /// Says how many there were; the worst failure is that of all. Given up after this line, if it was.
    pub(super) fn end(self, given_up: Option<u64>) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        let Self { output, begun, confirmed, failed, worst, .. } = self;
        if !output.is_json() {
            let seconds = begun.elapsed().as_secs_f64();
            let rate = confirmed as f64 / seconds.max(1e-6);
            let events = counted(confirmed, "event", "events");
            output.text(format_args!("{events} {GOOD}confirmed{GOOD:#} in {seconds:.2} s ({rate:.0}/s)"))?;
        }
        let Some(worst) = worst else { return Ok(()) };
        let rest =
            given_up.map_or_else(String::new, |last| format!("; given up after {last}, nothing behind it was sent"));
        let were = if failed == 1 { "was" } else { "were" };
        Err(worst.retold(format!(
            "{failed} of {} {were} not confirmed{rest}",
            counted(confirmed + failed, "event", "events")
        )))
    }
}

/// Whoever is told no more has not seen all events confirmed: other than with what only looks, that is no good end.
fn closed(error: io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("given up, for nobody reads what is printed: {error}"))
}

/// Which of several failures is told by the exit code: what has to be changed before what may pass by itself.
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
    fn the_worst_is_that_of_all() {
        let mut report = Report::new(Output::new(Some(Format::Pretty)), None);
        let event = Event::new("e");
        for exit in [Exit::Usage, Exit::Timeout, Exit::Undelivered] {
            report.failed(Some(7), Some(&event), &Failure::new(exit, "no")).unwrap();
        }
        report.confirmed(Some(8), Some(&event)).unwrap();
        let failure = report.end(Some(9)).unwrap_err();
        assert_eq!(failure.exit, Exit::Timeout);
        assert_eq!(failure.text(), "3 of 4 events were not confirmed; given up after 9, nothing behind it was sent");
    }
}
