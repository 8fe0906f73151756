//! Log lines on stderr: those of this project, as many as were asked for. amiquip's are never among them: they show
//! messages.

use log::LevelFilter;

/// Starts logging: warnings, and with each `-v` more. Where the command tells failures itself,
/// only what was asked for.
pub(crate) fn start(verbose: u8, tells_failures: bool) {
    let level = match verbose {
        0 if tells_failures => LevelFilter::Off,
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
