//! `cargo xtask bench`: the measurements of `crates/bench`, with servers that are started for them.

use crate::failure::Result;
use crate::integration::with_servers;
use crate::interrupt::Interrupt;
use crate::servers::{GivenUrls, Servers, Wanted};

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

/// Runs `cargo bench` and passes its verdict on.
pub(crate) fn run(options: Options) -> Result<()> {
    let interrupt = Interrupt::listen()?;
    let servers = Servers::obtain(&options.given, &options.wanted, &interrupt)?;
    let mut arguments = ["bench", "--package", "zc-events-bench"].map(str::to_owned).to_vec();
    arguments.extend(options.bench_args);
    let measured = with_servers(&arguments, servers.urls(), None, &interrupt);
    servers.stop();
    measured
}
