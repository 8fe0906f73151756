//! The options of `zc-events bench`.

use std::time::Duration;

use crate::value_parsers;

#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Options {
    /// Number of events; a tenth as many calls
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = value_parsers::whole_number::<u32>(1, 10_000_000))]
    pub(super) messages: u32,
    /// Bytes of text in each event and call
    #[arg(long, value_name = "BYTES", default_value_t = 1024, value_parser = value_parsers::whole_number::<u32>(0, 8 << 20))]
    pub(super) size: u32,
    /// Unconfirmed events at once, and concurrent callers (at most 16)
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = value_parsers::whole_number::<u32>(1, 100_000))]
    pub(super) in_flight: u32,
    /// Limit of the whole benchmark: 500ms, 5s, 2m
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = value_parsers::duration)]
    pub(super) timeout: Duration,
}
