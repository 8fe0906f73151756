//! The command line: the commands and the global options. The options of each command are in its file.

use clap::{ArgAction, Parser, Subcommand};

use crate::output::Format;
use crate::{bench, call, completions, dead, doctor, emit, get, listen, man, rebuild, stub};

/// The heading of the options that all commands take.
const GLOBAL: &str = "Global options";

/// Watch, send and debug the messages of a fleet of Python zc_events/Celery services.
///
/// The settings are those of the services: BROKER_URL, EVENTS_REDIS_URL, STAGING_NAME and others. They come from the
/// environment, or from a file `.env` in the working directory or above it.
#[derive(Debug, Parser)]
#[command(name = "zc-events", version, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Output format: pretty for people, json for one object per line [default: pretty on a terminal, else json]
    #[arg(long, global = true, help_heading = GLOBAL, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    pub(crate) output: Option<Format>,
    /// Log to stderr; repeat for more detail
    #[arg(short, long, global = true, help_heading = GLOBAL, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a marketplace in memory; needs no server
    Demo,
    /// Emit one or many events and wait for the broker's confirms
    Emit(emit::Options),
    /// Rebuild a search index: send all items of a type in stored batches
    Rebuild(rebuild::Options),
    /// Request a resource from another service and print the JSON:API document
    Get(get::Options),
    /// Call a function of another service by its key and print the result
    Call(call::Options),
    /// Watch the fleet's messages; services still receive all of them
    Listen(listen::Options),
    /// Answer requests in place of other services, as a file describes
    Stub(stub::Options),
    /// List, show, replay or purge the dead letters of a service
    Dead(dead::Options),
    /// Diagnose settings and servers, and suggest fixes
    Doctor(doctor::Options),
    /// Measure publishing, consuming and calls on these servers, separate from the fleet
    Bench(bench::Options),
    /// Print completions for a shell
    Completions(completions::Options),
    /// Print a manual page
    Man(man::Options),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }
}
