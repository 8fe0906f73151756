//! The command line as a whole: what there is, and what all commands take. The options of each command are in its file.

use clap::{ArgAction, Parser, Subcommand};

use crate::output::Format;
use crate::{bench, call, dead, doctor, emit, get, listen, rebuild, shell, stub};

/// Above the options that all commands take.
const EVERYWHERE: &str = "Options of all commands";

/// See, send, ask, stand in and mend, in a fleet of Python zc_events/Celery services.
///
/// Where the fleet is, the environment says, or a file `.env` in the working directory or above it: BROKER_URL,
/// EVENTS_REDIS_URL, STAGING_NAME and the others, as the services have them.
#[derive(Debug, Parser)]
#[command(name = "zc-events", version, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// How results are printed: pretty, for people, or json, an object a line [default: pretty on a terminal, else json]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    pub(crate) output: Option<Format>,
    /// Log to stderr what is done; twice: in detail
    #[arg(short, long, global = true, help_heading = EVERYWHERE, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See what all this is: a marketplace in memory, which needs no server
    Demo,
    /// Emit an event, or many, and wait until the broker has confirmed them
    Emit(emit::Options),
    /// Send all items of a kind to whoever indexes them, in stored batches
    Rebuild(rebuild::Options),
    /// Ask another service for a resource, and print the JSON:API document
    Get(get::Options),
    /// Call a function of another service by its key, and print what it returns
    Call(call::Options),
    /// Look on at what passes, and take nothing from anybody
    Listen(listen::Options),
    /// Stand in for remote services, as a file says
    Stub(stub::Options),
    /// List, show, replay or purge the dead letters of a service
    Dead(dead::Options),
    /// Find out what is wrong between this place and the servers, and what to do about it
    Doctor(doctor::Options),
    /// Measure publishing, consuming and calls on these servers, beside the fleet and without a trace
    Bench(bench::Options),
    /// Print completions for a shell
    Completions(shell::Completions),
    /// Print a manual page
    Man(shell::Man),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_makes_sense() {
        Arguments::command().debug_assert();
    }
}
