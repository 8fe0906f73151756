//! `zc-events completions` and `zc-events man`: made from the command line itself.

use std::io::{self, Write as _};

use clap::Command;
use clap_complete::Shell;

use crate::failure::Failure;

/// For which shell.
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    shell: Shell,
}

/// Prints the script for the shell. `command` is the whole command line.
pub(crate) fn completions(options: &Completions, mut command: Command) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(options.shell, &mut command, "zc-events", &mut text);
    Ok(io::stdout().lock().write_all(&text)?)
}

/// Of what.
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// The command that the page is about; none for all together
    command: Vec<String>,
}

/// Prints a page for man. `command` is the whole command line.
pub(crate) fn man(options: &Man, mut command: Command) -> Result<(), Failure> {
    command.build();
    let mut found: &Command = &command;
    for name in &options.command {
        found = found.find_subcommand(name).ok_or_else(|| Failure::usage(format!("there is no command {name}")))?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(found.clone().version(env!("CARGO_PKG_VERSION"))).render(&mut page)?;
    Ok(io::stdout().lock().write_all(&page)?)
}
