//! The `zc-events` command. This file picks the command and ends the process; what each command does is in the file of
//! its name, what they share in `session`, `output`, `failure` and `values`. No logic that a program with the library
//! would want lives in this crate.
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod arguments;
mod bench;
mod call;
mod dead;
mod demo;
mod doctor;
mod emit;
mod exit;
mod failure;
mod get;
mod interrupt;
mod lines;
mod listen;
mod logging;
mod output;
mod progress;
mod rebuild;
mod session;
mod shell;
mod stub;
mod values;

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
        Command::Completions(options) => shell::completions(&options, Arguments::command()),
        Command::Man(options) => shell::man(&options, Arguments::command()),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
