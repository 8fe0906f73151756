//! The report of a row: figures, and checks that passed or failed.

use std::fmt::Display;
use std::time::Duration;

use integration_tests::scheduler_delay::{SchedulerDelay, percentile};

/// A row fills it while it runs.
#[derive(Default)]
pub struct Report {
    pub(super) figures: Vec<(String, String)>,
    pub(super) failures: Vec<String>,
    pub(super) checks: usize,
}

impl Report {
    /// Adds a figure that was counted or measured.
    pub fn figure(&mut self, name: &str, value: impl Display) {
        log::info!("    {name}: {value}");
        self.figures.push((name.to_owned(), value.to_string()));
    }

    /// Adds a duration.
    pub fn time(&mut self, name: &str, value: Duration) {
        self.figure(name, Shown(value));
    }

    /// Adds a check. `what` is the statement that must hold.
    pub fn check(&mut self, what: &str, holds: bool) {
        self.checks += 1;
        if !holds {
            log::error!("    does not hold: {what}");
            self.failures.push(what.to_owned());
        }
    }

    /// Adds the report of a part of the row.
    pub fn absorb(&mut self, part: Report) {
        self.figures.extend(part.figures);
        self.failures.extend(part.failures);
        self.checks += part.checks;
    }

    /// Checks that a value equals another, and shows both.
    pub fn equal<T: PartialEq + Display>(&mut self, what: &str, seen: T, wanted: T) {
        self.check(&format!("{what}: {wanted}, but it is {seen}"), seen == wanted);
    }

    /// Checks that something took at most `limit` plus the scheduler delay of this machine meanwhile.
    pub fn within(&mut self, what: &str, took: Duration, limit: Duration, late: &SchedulerDelay) {
        self.time(what, took);
        let slack = late.worst();
        self.check(
            &format!("{what} within {}, but it took {} (machine late by {})", Shown(limit), Shown(took), Shown(slack)),
            took <= limit + slack,
        );
    }

    /// Checks the durations of many calls: 99 of 100 took at most `p99`, and all took at most `worst`, each plus the
    /// scheduler delay meanwhile. For `p99` this is the delay of one in 1,000 naps, not of one in 100, because a nap
    /// wakes one thread, and a call wakes several, at the same moment as many other calls.
    pub fn all_within(&mut self, what: &str, took: &[Duration], p99: Duration, worst: Duration, late: &SchedulerDelay) {
        let (seen_p99, seen_worst) = (percentile(took.to_vec(), 0.99), percentile(took.to_vec(), 1.0));
        self.time(&format!("{what}, p99"), seen_p99);
        self.time(&format!("{what}, worst"), seen_worst);
        self.time("machine late by, p99.9", late.tail());
        self.time("machine late by, worst", late.worst());
        self.check(&format!("{what} was measured"), !took.is_empty());
        self.check(
            &format!("{what}: p99 within {}, but it is {}", Shown(p99), Shown(seen_p99)),
            seen_p99 <= p99 + late.tail(),
        );
        self.check(
            &format!("{what}: all within {}, but one took {}", Shown(worst), Shown(seen_worst)),
            seen_worst <= worst + late.worst(),
        );
    }
}

/// Shows a duration for people.
pub(super) struct Shown(pub(super) Duration);

impl Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Shown(time) = self;
        if *time < Duration::from_secs(10) {
            write!(f, "{} ms", time.as_millis())
        } else {
            write!(f, "{:.1} s", time.as_secs_f64())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DelayMonitor;

    #[test]
    fn what_does_not_hold_is_kept() {
        let mut report = Report::default();
        report.check("fine", true);
        report.equal("lost", 3, 0);
        assert_eq!((report.checks, report.failures.as_slice()), (2, &["lost: 0, but it is 3".to_owned()][..]));
    }

    #[test]
    fn a_time_is_held_to_its_limit_and_nothing_measured_is_a_failure() {
        let delay_monitor = DelayMonitor::start();
        let late = delay_monitor.delay();
        let mut report = Report::default();
        report.within("fast", Duration::ZERO, Duration::from_secs(1), &late);
        assert!(report.failures.is_empty());
        report.within("slow", Duration::from_secs(3600), Duration::from_secs(1), &late);
        report.all_within("none", &[], Duration::from_secs(1), Duration::from_secs(1), &late);
        assert_eq!(report.failures.len(), 2, "{:?}", report.failures);
    }
}
