//! What `cargo xtask chaos` runs; all of it is in the library.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    env_logger::Builder::from_env(
        env_logger::Env::default().default_filter_or("zc_events_chaos=info,integration_tests=info,xtask=info"),
    )
    .filter_module("amiquip", log::LevelFilter::Off)
    .format_target(false)
    .init();
    zc_events_chaos::run(&zc_events_chaos::Options::parse())
}
