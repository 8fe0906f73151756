//! What stands in for the facade without the feature `metrics`: nothing, at no cost.

use std::time::Duration;

use zc_events_protocol::Clock;

use super::Metric;

pub(crate) fn describe() {
    // Said of nothing, and read by nobody: a metric is a name only where there is a recorder.
    let _ = super::ALL.iter().map(|metric| (metric.name, metric.kind, metric.unit, metric.text));
}

#[inline]
pub(super) fn count(_: &Metric, _: u64, _: &[(&'static str, &str)]) {}

#[inline]
pub(super) fn observe(_: &Metric, _: Duration, _: &[(&'static str, &str)]) {}

#[inline]
pub(super) fn add(_: &Metric, _: f64) {}

#[inline]
pub(super) fn set(_: &Metric, _: f64, _: &[(&'static str, &str)]) {}

/// A label that is kept for later.
#[derive(Debug)]
pub(super) struct Label;

impl Label {
    #[inline]
    pub(super) fn new(_: &str) -> Self {
        Self
    }

    #[inline]
    pub(super) fn as_str(&self) -> &str {
        ""
    }
}

/// When something began.
#[derive(Debug)]
pub(super) struct Since;

impl Since {
    #[inline]
    pub(super) fn now(_: &dyn Clock) -> Self {
        Self
    }

    #[inline]
    pub(super) fn elapsed(&self, _: &dyn Clock) -> Duration {
        Duration::ZERO
    }
}
