//! The `zc-events` command. This file picks the command and ends the process; what each command does is in the file of
//! its name, what they share in `session`, `output`, `failure` and `values`. No logic that a program with the library
//! would want lives in this crate.
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod arguments;
mod exit;
mod failure;
mod get;
mod interrupt;
mod logging;
mod output;
mod session;
mod values;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use session::Session;

fn main() -> ExitCode {
    let Arguments { command, output, verbose } = Arguments::parse();
    logging::start(verbose);
    let done = Session::begin(output).and_then(|session| match command {
        Command::Get(options) => get::run(&session, &options),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
