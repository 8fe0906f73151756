//! `zc-events completions`: generates completions from the command line's definition.

use std::io::{self, Write as _};

use clap_complete::Shell;

use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    shell: Shell,
}

/// Prints the completions of `command`.
pub(crate) fn run(mut command: clap::Command, options: &Options) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(options.shell, &mut command, "zc-events", &mut text);
    Ok(io::stdout().lock().write_all(&text)?)
}
