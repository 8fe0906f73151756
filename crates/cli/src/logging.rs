//! Logs to stderr: only the lines of this project, since those of `amiquip` show messages.

use log::LevelFilter;

/// Starts logging: warnings, and more with each `-v`. A command that reports its own failures logs no warnings without `-v`.
pub(crate) fn start(verbose: u8, reports_failures: bool) {
    let level = match verbose {
        0 if reports_failures => LevelFilter::Off,
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        2 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    env_logger::Builder::new()
        .filter_level(LevelFilter::Off)
        .filter_module("zc_events", level)
        .format_target(verbose > 1)
        .init();
}
