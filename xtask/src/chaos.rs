//! `cargo xtask chaos`: faults injected into private servers, and a table of what became of every message.
//!
//! The rows are in `tests/chaos`; this file only starts the program that runs them.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::process::{Polite, Process};
use crate::workspace;

/// Options of `cargo xtask chaos`.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Fewer crashes, cuts and messages: under 4 minutes in all
    #[arg(long)]
    quick: bool,
    /// Only this row, or these
    #[arg(long, value_name = "NAME")]
    row: Vec<String>,
    /// Name the rows and what each must hold, and run none
    #[arg(long)]
    list: bool,
}

/// The program that runs the rows.
pub(crate) const PROGRAM: &str = "chaos";
/// How long the program may take to end after a SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// Runs the rows; the error is their verdict.
pub(crate) fn run(options: &Options) -> Result<()> {
    started(options, &Interrupt::listen()?)
}

/// The quick form, as a part of another command, which may have built the program already.
pub(crate) fn quick(program: Option<&PathBuf>, interrupt: &Interrupt) -> Result<()> {
    let options = Options { quick: true, ..Options::default() };
    match program {
        None => started(&options, interrupt),
        Some(program) => wait("chaos --quick", Command::new(program).args(words(&options)), interrupt),
    }
}

fn started(options: &Options, interrupt: &Interrupt) -> Result<()> {
    let arguments = arguments(options);
    wait(&format!("cargo {}", arguments.join(" ")), workspace::cargo(&workspace::root()).args(&arguments), interrupt)
}

fn wait(line: &str, command: &mut Command, interrupt: &Interrupt) -> Result<()> {
    log::info!("{line}");
    let mut chaos = Process::start(line, command)?;
    match chaos.wait(interrupt, None) {
        Ok(Some(status)) => Failure::unless_success("cargo xtask chaos", status),
        Ok(None) => Err(Failure::says("the rows did not end")),
        Err(stopped) => {
            chaos.stop(Polite::Group, GRACE);
            Err(stopped)
        }
    }
}

fn arguments(options: &Options) -> Vec<String> {
    let cargo = ["run", "--quiet", "--package", "zc-events-chaos", "--bin", PROGRAM, "--"];
    cargo.map(str::to_owned).into_iter().chain(words(options)).collect()
}

/// The program's own arguments.
fn words(options: &Options) -> Vec<String> {
    let flags = [("--quick", options.quick), ("--list", options.list)];
    let mut words: Vec<String> = flags.iter().filter(|it| it.1).map(|it| it.0.to_owned()).collect();
    words.extend(options.row.iter().flat_map(|row| ["--row".to_owned(), row.clone()]));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_is_passed_on() {
        let options = Options { quick: true, row: vec!["poison".to_owned(), "redis-full".to_owned()], list: false };
        let line = arguments(&options).join(" ");
        assert!(line.ends_with("--bin chaos -- --quick --row poison --row redis-full"), "{line}");
    }
}
