//! `cargo xtask bench`: the measurements of `crates/bench`, with servers that are started for them.

use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::process::{Polite, Process};
use crate::servers::{GivenUrls, Servers, Urls, Wanted};
use crate::workspace;

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    given: GivenUrls,
    #[command(flatten)]
    wanted: Wanted,
    /// What follows `--` goes to `cargo bench`
    #[arg(last = true, value_name = "BENCH ARGS")]
    bench_args: Vec<String>,
}

/// How long the measurements may take to end after a SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// Runs `cargo bench` and passes its verdict on.
pub(crate) fn run(options: Options) -> Result<()> {
    let interrupt = Interrupt::listen()?;
    let servers = Servers::obtain(&options.given, &options.wanted, &interrupt)?;
    let mut arguments = ["bench", "--package", "zc-events-bench"].map(str::to_owned).to_vec();
    arguments.extend(options.bench_args);
    let measured = measure(&arguments, servers.urls(), &interrupt);
    servers.stop();
    measured
}

/// Runs cargo with the servers' URLs in its environment. Stops it when a signal arrives.
fn measure(arguments: &[String], urls: &Urls, interrupt: &Interrupt) -> Result<()> {
    let line = format!("cargo {}", arguments.join(" "));
    log::info!("{line}");
    let mut cargo = workspace::cargo(&workspace::root());
    let mut process = Process::start(&line, cargo.args(arguments).envs(urls.environment()))?;
    match process.wait(interrupt, None) {
        Ok(Some(status)) => Failure::unless_success(&line, status),
        Ok(None) => Err(Failure::says("the measurements did not end")),
        Err(stopped) => {
            process.stop(Polite::Group, GRACE);
            Err(stopped)
        }
    }
}
