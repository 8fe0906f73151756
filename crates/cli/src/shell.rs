//! `zc-events completions` and `zc-events man`: what is made of the command line itself.

use std::io::{self, Write as _};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::failure::Failure;

/// For which shell.
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    shell: Shell,
}

/// Prints what the shell is to read.
pub(crate) fn completions(options: &Completions) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "zc-events", &mut text);
    Ok(io::stdout().lock().write_all(&text)?)
}

/// Of what.
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// The command that the page is about; none for all together
    command: Vec<String>,
}

/// Prints a page for man.
pub(crate) fn man(options: &Man) -> Result<(), Failure> {
    let mut command = Arguments::command();
    command.build();
    let mut found: &Command = &command;
    for name in &options.command {
        found = found.find_subcommand(name).ok_or_else(|| Failure::usage(format!("there is no command {name}")))?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(found.clone().version(env!("CARGO_PKG_VERSION"))).render(&mut page)?;
    Ok(io::stdout().lock().write_all(&page)?)
}
