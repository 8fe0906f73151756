//! `zc-events man`: generates manual pages from the command line's definition.

use std::io::{self, Write as _};

use clap::Command;

use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The command that the page describes [default: the whole program]
    command: Vec<String>,
}

/// Prints a page of `command`, or of one of its subcommands.
pub(crate) fn run(mut command: Command, options: &Options) -> Result<(), Failure> {
    command.build();
    let mut found: &Command = &command;
    for name in &options.command {
        found = found.find_subcommand(name).ok_or_else(|| Failure::usage(format!("unknown command {name}")))?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(found.clone().version(env!("CARGO_PKG_VERSION"))).render(&mut page)?;
    Ok(io::stdout().lock().write_all(&page)?)
}
