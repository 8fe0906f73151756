//! The `zc-events` program. This file selects the command and ends the process. Each command is in the file of its name; all
//! commands share `session`, `output`, `failure` and `value_parsers`. Logic that other programs can use belongs to the library.
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod arguments;
mod bench;
mod call;
mod completions;
mod dead;
mod demo;
mod doctor;
mod emit;
mod exit;
mod failure;
mod get;
mod interrupt;
mod line_reader;
mod listen;
mod logging;
mod man;
mod output;
mod progress;
mod rebuild;
mod session;
mod stub;
mod value_parsers;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use arguments::{Arguments, Command};
use session::Session;

fn main() -> ExitCode {
    let Arguments { command, output, verbose } = Arguments::parse();
    logging::start(verbose, matches!(command, Command::Demo | Command::Rebuild(_)));
    let done = Session::begin(output).and_then(|session| match command {
        Command::Demo => demo::run(&session),
        Command::Emit(options) => emit::run(&session, &options),
        Command::Rebuild(options) => rebuild::run(&session, &options),
        Command::Get(options) => get::run(&session, &options),
        Command::Call(options) => call::run(&session, &options),
        Command::Listen(options) => listen::run(&session, &options),
        Command::Stub(options) => stub::run(&session, &options),
        Command::Dead(options) => dead::run(&session, &options),
        Command::Doctor(options) => doctor::run(&session, &options),
        Command::Bench(options) => bench::run(&session, &options),
        Command::Completions(options) => completions::run(Arguments::command(), &options),
        Command::Man(options) => man::run(Arguments::command(), &options),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
