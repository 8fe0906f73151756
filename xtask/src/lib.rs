//! The project's own commands, `cargo xtask NAME`: what each does is in the file of its name.
//!
//! This file reads the command line and picks; it holds nothing else. It is a library for the sake of [`test_servers`]
//! alone: private servers for programs that kill them.

#![allow(missing_debug_implementations, reason = "not published: only the tests of this workspace use it")]

mod bench;
mod chaos;
mod ci;
mod failure;
mod fuzz;
mod integration;
mod interrupt;
mod process;
mod python;
mod servers;
mod test_run;
pub mod test_servers;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_version_flag = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every test of the workspace, with a RabbitMQ and a Redis that are started for it
    Integration(integration::Options),
    /// Start a private RabbitMQ and Redis, print their URLs, stop them on Ctrl-C
    Servers(servers::Options),
    /// Check the layout: crate graph, circles of imports, names, file sizes, the documents' commands
    Tidy,
    /// Check formatting, lints, documentation and layout; takes less time than the tests
    Ci,
    /// Break brokers, stores and connections under load, and report lost and repeated messages
    Chaos(chaos::Options),
    /// Run the measurements against a RabbitMQ and a Redis that are started for them
    Bench(bench::Options),
    /// Fuzz the parsers of messages, frames, documents and URLs (needs cargo-fuzz)
    Fuzz(fuzz::Options),
}

/// Whether these words, behind `cargo`, form a command; the error says why not.
fn is_command(words: &[String]) -> Result<(), String> {
    match Cli::try_parse_from(words) {
        Ok(_) => Ok(()),
        Err(help)
            if matches!(help.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) =>
        {
            Ok(())
        }
        Err(refused) => Err(refused.to_string().lines().next().unwrap_or_default().to_owned()),
    }
}

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    // amiquip's debug lines hold the password of the login.
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"))
        .filter_module("amiquip", log::LevelFilter::Off)
        .format_timestamp(None)
        .format_target(false)
        .init();
    let done = match Cli::parse().command {
        Command::Integration(options) => integration::run(options),
        Command::Servers(options) => servers::run(&options),
        Command::Tidy => tidy::run(is_command),
        Command::Ci => ci::run(is_command),
        Command::Chaos(options) => chaos::run(&options),
        Command::Bench(options) => bench::run(options),
        Command::Fuzz(options) => fuzz::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
