//! The one file that names the crate `metrics`: counts, gauges and histograms, handed to its recorder.

use std::time::Duration;

use ::metrics::{Unit as Measure, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::catalog::{ALL, Kind, Metric, Unit};

/// Tells the recorder what each metric is.
pub(crate) fn describe() {
    for metric in ALL {
        let unit = match metric.unit {
            Unit::Count => Measure::Count,
            Unit::Bytes => Measure::Bytes,
            Unit::Seconds => Measure::Seconds,
        };
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, unit, metric.text),
            Kind::Gauge => describe_gauge!(metric.name, unit, metric.text),
            Kind::Histogram => describe_histogram!(metric.name, unit, metric.text),
        }
    }
}

pub(super) fn count(metric: &Metric, by: u64, labels: &[(&'static str, &str)]) {
    counter!(metric.name, &owned(labels)).increment(by);
}

pub(super) fn observe(metric: &Metric, took: Duration, labels: &[(&'static str, &str)]) {
    histogram!(metric.name, &owned(labels)).record(took.as_secs_f64());
}

pub(super) fn add(metric: &Metric, by: f64) {
    gauge!(metric.name).increment(by);
}

pub(super) fn set(metric: &Metric, to: f64, labels: &[(&'static str, &str)]) {
    gauge!(metric.name, &owned(labels)).set(to);
}

fn owned(labels: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}
