//! The measurement of one phase: rate, percentiles and a histogram, for people and as JSON.

use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BOLD, FAINT, Output};

/// The width of the longest bar.
const WIDEST: u64 = 40;
/// The limit of bars. Each bar covers at least twice the time of the one before.
const BARS: usize = 10;

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// Events, from send to confirm.
    Publish,
    /// Events that wait in the queue, until they are handled.
    Consume,
    /// Calls, one after another.
    Call,
    /// Concurrent calls.
    CallsAtOnce,
}

impl Phase {
    fn description(self) -> (&'static str, &'static str) {
        match self {
            Phase::Publish => ("publish", "from send to confirm"),
            Phase::Consume => ("consume", "from one handled event to the next"),
            Phase::Call => ("call", "from request to reply, one after another"),
            Phase::CallsAtOnce => ("concurrent calls", "from request to reply"),
        }
    }
}

/// A phase and the durations of its operations.
pub(super) struct Measurement {
    phase: Phase,
    /// Bytes of text in each message.
    size: usize,
    began: Instant,
    took: Duration,
    /// In microseconds.
    times: Histogram<u64>,
}

/// As JSON.
#[derive(Serialize)]
struct Row {
    phase: Phase,
    count: u64,
    seconds: f64,
    per_second: f64,
    mib_per_second: f64,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    max_ms: f64,
}

impl Measurement {
    pub(super) fn begin(phase: Phase, size: usize) -> Result<Self, Failure> {
        // From 1 us to 1 h, with three digits.
        let times = Histogram::new_with_bounds(1, 3_600_000_000, 3)
            .map_err(|error| Failure::new(Exit::Failed, format!("cannot create a histogram: {error}")))?;
        Ok(Self { phase, size, began: Instant::now(), took: Duration::ZERO, times })
    }

    /// Moves the start of the phase.
    pub(super) fn restart_at(&mut self, at: Instant) {
        self.began = at;
    }

    pub(super) fn record(&mut self, time: Duration) {
        self.times.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1));
    }

    pub(super) fn end(mut self) -> Self {
        self.took = self.began.elapsed();
        self
    }

    fn row(&self) -> Row {
        let seconds = self.took.as_secs_f64().max(1e-6);
        let count = self.times.len();
        let per_second = count as f64 / seconds;
        let millis = |micros: u64| round(micros as f64 / 1000.0, 3);
        let at = |quantile: f64| millis(self.times.value_at_quantile(quantile));
        Row {
            phase: self.phase,
            count,
            seconds: round(seconds, 3),
            per_second: round(per_second, 1),
            mib_per_second: round(per_second * self.size as f64 / f64::from(1 << 20), 2),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: millis(self.times.max()),
        }
    }

    pub(super) fn show(&self, output: Output) -> io::Result<()> {
        let row = self.row();
        if output.is_json() {
            return output.json(&row);
        }
        let (name, what) = self.phase.description();
        output.text(format_args!("{BOLD}{name}{BOLD:#} {:.0}/s {FAINT}{what}{FAINT:#}", row.per_second))?;
        let Row { p50_ms, p90_ms, p99_ms, p999_ms, max_ms, .. } = row;
        output.text(format_args!(
            "  p50 {p50_ms} ms, p90 {p90_ms} ms, p99 {p99_ms} ms, p99.9 {p999_ms} ms, max {max_ms} ms"
        ))?;
        self.bars().into_iter().try_for_each(|(upto, count, width)| {
            let bar = "#".repeat(usize::try_from(width).unwrap_or_default());
            output.text(format_args!(
                "  <= {:<10} {bar:WIDTH$} {FAINT}{count}{FAINT:#}",
                shown(upto),
                WIDTH = WIDEST as usize
            ))
        })
    }

    /// For each bar: the upper bound in microseconds, the count, and the width.
    fn bars(&self) -> Vec<(u64, u64, u64)> {
        if self.times.is_empty() {
            return Vec::new();
        }
        let (least, most) = (self.times.min().max(1), self.times.max());
        let mut factor = 2;
        let ends = loop {
            let ends: Vec<u64> =
                std::iter::successors(Some(round_up(least)), |end| (*end < most).then(|| end * factor)).collect();
            if ends.len() <= BARS {
                break ends;
            }
            factor *= 2;
        };
        let mut counts: Vec<(u64, u64)> = ends.into_iter().map(|end| (end, 0)).collect();
        for step in self.times.iter_recorded() {
            let value = self.times.lowest_equivalent(step.value_iterated_to());
            if let Some((_, count)) = counts.iter_mut().find(|(end, _)| *end >= value) {
                *count += step.count_at_value();
            }
        }
        let tallest = counts.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
        // A bar that is not empty is visible.
        counts.into_iter().map(|(end, count)| (end, count, (count * WIDEST).div_ceil(tallest))).collect()
    }
}

/// The next of 1, 2, 5, 10, 20, 50, ..
fn round_up(micros: u64) -> u64 {
    let mut power = 1;
    loop {
        if let Some(bound) = [1, 2, 5].map(|digit| digit * power).into_iter().find(|bound| *bound >= micros) {
            return bound;
        }
        power *= 10;
    }
}

fn shown(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} us"),
        1_000..1_000_000 => format!("{} ms", round(micros as f64 / 1_000.0, 1)),
        _ => format!("{} s", round(micros as f64 / 1_000_000.0, 1)),
    }
}

fn round(number: f64, digits: i32) -> f64 {
    let factor = 10_f64.powi(digits);
    (number * factor).round() / factor
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(millis: impl Iterator<Item = u64>) -> Measurement {
        let mut measured = Measurement::begin(Phase::Call, 1024).unwrap();
        millis.for_each(|it| measured.record(Duration::from_millis(it)));
        measured.took = Duration::from_secs(2);
        measured
    }

    #[test]
    fn rates_and_percentiles() {
        let row = measured(1..=1000).row();
        assert_eq!((row.count, row.seconds, row.per_second, row.mib_per_second), (1000, 2.0, 500.0, 0.49));
        for (found, expected) in [(row.p50_ms, 500.0), (row.p90_ms, 900.0), (row.p99_ms, 990.0), (row.max_ms, 1000.0)] {
            assert!((found - expected).abs() <= 1.0, "{found} {expected}");
        }
        let json = serde_json::to_value(measured(1..=1).row()).unwrap();
        assert_eq!((&json["phase"], &json["p999_ms"]), (&"call".into(), &1.0.into()));
    }

    #[test]
    fn each_value_is_in_one_bar_and_the_fullest_bar_is_the_widest() {
        let bars = measured((1..=1000).chain([3_000_000])).bars();
        assert!(bars.len() <= BARS, "{bars:?}");
        assert_eq!(bars.iter().map(|(_, count, _)| count).sum::<u64>(), 1001);
        assert_eq!(bars.iter().map(|(_, _, width)| width).max(), Some(&WIDEST));
        assert!(bars.iter().all(|(_, count, width)| (*count > 0) == (*width > 0)), "{bars:?}");
        assert!(bars.is_sorted_by(|one, next| one.0 < next.0));
        assert_eq!(measured(std::iter::empty()).bars(), []);
        assert_eq!(measured(std::iter::once(7)).bars().len(), 1);
    }

    #[test]
    fn the_bounds_of_bars_are_round() {
        assert_eq!([1, 2, 3, 6, 11, 49, 51].map(round_up), [1, 2, 5, 10, 20, 50, 100]);
        assert_eq!([50, 1_600, 25_600, 2_000_000].map(shown), ["50 us", "1.6 ms", "25.6 ms", "2 s"]);
    }
}
