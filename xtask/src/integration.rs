//! `cargo xtask integration`: every test of the workspace, with servers that are started for it and stopped after it, and
//! a Python of its own; then the quick form of `cargo xtask chaos`.

use std::path::PathBuf;
use std::time::Duration;

use crate::chaos;
use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::process::{Polite, Process};
use crate::python::{self, TEST_PYTHON};
use crate::servers::{GivenUrls, Servers, TEST_BROKER_URL, TEST_REDIS_URL, Urls, Wanted};
use crate::workspace;

/// Options of `cargo xtask integration`.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    given: GivenUrls,
    #[command(flatten)]
    wanted: Wanted,
    /// Leave the servers up after the run, and print how to stop them
    #[arg(long)]
    keep: bool,
    /// Run only the tests that need servers
    #[arg(long)]
    skip_offline: bool,
    /// Leave out the quick form of `cargo xtask chaos`, which otherwise comes last
    #[arg(long)]
    skip_chaos: bool,
    /// Leave out the tests beside Python services, which otherwise get a Python environment in target/python
    #[arg(long)]
    skip_python: bool,
    /// What follows `--` goes to `cargo test`: a filter, `--test NAME`, and after another `--` to the tests themselves
    #[arg(last = true, value_name = "TEST ARGS")]
    test_args: Vec<String>,
}

/// The module that holds all tests beside Python, in whichever file.
const PYTHON_TESTS: &str = "beside_python";
/// How long the tests may take to end after a SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// Runs the tests; the error is their verdict.
pub(crate) fn run(options: Options) -> Result<()> {
    let arguments = arguments(&options)?;
    let interrupt = Interrupt::listen()?;
    let python = match options.skip_python {
        true => None,
        false => Some(python::obtain(&options.wanted, &interrupt)?),
    };
    let servers = Servers::obtain(&options.given, &options.wanted, &interrupt)?;
    let private = servers.are_private();
    let tested = with_servers(&arguments, servers.urls(), python, &interrupt);
    // After a signal nothing is to be left behind, asked for or not.
    if options.keep && !matches!(tested, Err(Failure::Interrupted(_))) {
        let Urls { broker, redis } = servers.urls().clone();
        if let Some(command) = servers.keep() {
            println!("left running: {broker} and {redis}\nto stop them: {command}");
        }
    } else {
        servers.stop();
    }
    if options.skip_python {
        log::warn!("NOT RUN: the tests beside Python services, for --skip-python was given.");
    }
    tested?;
    if options.skip_chaos || !options.test_args.is_empty() {
        return Ok(());
    }
    if private {
        return chaos::quick(&interrupt);
    }
    log::warn!(
        "NOT RUN: `cargo xtask chaos --quick`. It kills servers, so it starts its own, and needs rabbitmq-server and \
         redis-server installed on this machine."
    );
    Ok(())
}

/// Runs cargo with these arguments, and the servers' URLs and the Python in the environment. Stops it when a signal arrives.
pub(crate) fn with_servers(
    arguments: &[String],
    urls: &Urls,
    python: Option<PathBuf>,
    interrupt: &Interrupt,
) -> Result<()> {
    let line = format!("cargo {}", arguments.join(" "));
    log::info!("{TEST_BROKER_URL}=... {TEST_REDIS_URL}=... {line}");
    let mut cargo = workspace::cargo(&workspace::root());
    cargo.args(arguments).env(TEST_BROKER_URL, &urls.broker).env(TEST_REDIS_URL, &urls.redis);
    cargo.envs(python.map(|python| (TEST_PYTHON, python)));
    let mut tests = Process::start(&line, &mut cargo)?;
    match tests.wait(interrupt, None) {
        Ok(Some(status)) => Failure::unless_success(&line, status),
        Ok(None) => Err(Failure::says("the tests did not end")),
        Err(stopped) => {
            log::info!("stopping the tests, then the servers");
            tests.stop(Polite::Group, GRACE);
            Err(stopped)
        }
    }
}

fn arguments(options: &Options) -> Result<Vec<String>> {
    let mut arguments = vec!["test".to_owned()];
    if options.skip_offline {
        arguments.extend(["--package".to_owned(), "integration-tests".to_owned()]);
    } else {
        arguments.extend(workspace::whole(&workspace::root())?);
    }
    arguments.extend_from_slice(&options.test_args);
    if options.skip_python {
        // What follows the next `--` goes to the tests themselves.
        let has_own = options.test_args.iter().any(|it| it == "--");
        arguments.extend((!has_own).then(|| "--".to_owned()));
        arguments.extend(["--skip".to_owned(), PYTHON_TESTS.to_owned()]);
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn cargo_line(words: &str) -> String {
        let line = Line::try_parse_from(words.split_whitespace()).unwrap();
        arguments(&line.options).unwrap().join(" ")
    }

    #[test]
    fn the_whole_workspace_is_tested_unless_told_otherwise() {
        assert!(cargo_line("it").starts_with("test --workspace --features "), "{}", cargo_line("it"));
        assert_eq!(cargo_line("it --skip-offline"), "test --package integration-tests");
    }

    #[test]
    fn what_follows_two_dashes_is_passed_on() {
        assert_eq!(
            cargo_line("it --skip-offline -- --test it confirms -- --nocapture"),
            "test --package integration-tests --test it confirms -- --nocapture"
        );
    }

    #[test]
    fn the_tests_beside_python_are_left_out_where_they_run() {
        assert_eq!(
            cargo_line("it --skip-offline --skip-python -- --test it"),
            "test --package integration-tests --test it -- --skip beside_python"
        );
        assert_eq!(
            cargo_line("it --skip-offline --skip-python -- --test it -- --nocapture"),
            "test --package integration-tests --test it -- --nocapture --skip beside_python"
        );
    }

    /// Otherwise `--skip-python` would leave some to fail, or leave out others.
    #[test]
    fn all_tests_beside_python_are_in_the_module_that_is_left_out() {
        fn look(folder: &Path, found: &mut usize) {
            for entry in folder.read_dir().unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    look(&path, found);
                } else {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let is_inside = path.iter().any(|part| part == PYTHON_TESTS)
                        || text.contains(&format!("\nmod {PYTHON_TESTS} {{\n"));
                    let is_beside = text.contains("#[test]") && text.contains("integration_tests::python");
                    assert!(!is_beside || is_inside, "{}", path.display());
                    *found += usize::from(is_beside);
                }
            }
        }
        let mut found = 0;
        look(&workspace::root().join("tests/tests"), &mut found);
        assert!(found > 5, "{found}");
    }

    #[test]
    fn one_url_without_the_other_is_refused() {
        assert!(Line::try_parse_from(["it", "--broker-url", "amqp://h"]).is_err());
        assert!(Line::try_parse_from(["it", "--broker-url", "amqp://h", "--redis-url", "redis://h"]).is_ok());
    }
}
