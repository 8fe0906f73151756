//! Options of `zc-events bench`.

use std::time::Duration;

use crate::values;

/// How much is measured.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Options {
    /// How many events are published and consumed; of calls a tenth
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(super) messages: u32,
    /// How many bytes the text in each of them has
    #[arg(long, value_name = "BYTES", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(0..=8 << 20))]
    pub(super) size: u32,
    /// How many events are out at once, and how many callers there are, up to 16
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) in_flight: u32,
    /// How long all of it may take: 500ms, 5s, 2m
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = values::duration)]
    pub(super) timeout: Duration,
}
