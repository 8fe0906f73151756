//! `cargo xtask integration`: every test of the workspace, with servers that are started for it and stopped after it, and
//! a Python of its own; then the quick form of `cargo xtask chaos`. It ends with a list of what failed.

use std::ffi::OsString;

use crate::chaos;
use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::python::{self, TEST_PYTHON};
use crate::servers::{GivenUrls, Servers, Urls, Wanted};
use crate::test_run::{self, FailedTest, Round, Selection, TestRun};

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
    /// Run all tests three times beside a load of twice the processor's cores, and no chaos
    #[arg(long)]
    stress: bool,
    /// How many test programs run at once [default: 3, and 1 where TEST ARGS choose]
    #[arg(long, value_name = "N")]
    at_once: Option<usize>,
    /// What follows `--` goes to `cargo test`: a filter, `--test NAME`, and after another `--` to the tests themselves
    #[arg(last = true, value_name = "TEST ARGS")]
    test_args: Vec<String>,
}

/// The packages whose tests need servers, and the one of the chaos rows.
const WITH_SERVERS: [&str; 4] = ["--package", "integration-tests", "--package", "zc-events-chaos"];
/// The module that holds all tests beside Python, in whichever file.
const PYTHON_TESTS: &str = "beside_python";
/// How many test programs run at once: most of their time they wait.
const AT_ONCE: usize = 3;
/// The variable in which the tests find the `zc-events` command, which is built with them.
const TEST_COMMAND: &str = "ZC_EVENTS_TEST_COMMAND";
const COMMAND: &str = "zc-events";

/// Runs the tests; the error is their verdict. The last line on stdout is `N passed, N failed`.
pub(crate) fn run(options: Options) -> Result<()> {
    let interrupt = Interrupt::listen()?;
    let run = test_run(&options);
    let built = test_run::build(&run.selection, &interrupt)?;
    let python = match options.skip_python {
        true => None,
        false => Some(python::obtain(&options.wanted, &interrupt)?),
    };
    let servers = Servers::obtain(&options.given, &options.wanted, &interrupt)?;
    let private = servers.are_private();
    let mut environment: Vec<(String, OsString)> = servers.urls().environment().into();
    environment.extend(python.map(|python| (TEST_PYTHON.to_owned(), python.into())));
    environment.extend(built.programs.get(COMMAND).map(|path| (TEST_COMMAND.to_owned(), path.into())));
    let tested = run.run(&built, &environment, &interrupt);
    // After a signal nothing stays behind, even if it was asked for.
    if options.keep && tested.is_ok() {
        let Urls { broker, redis } = servers.urls().clone();
        if let Some(command) = servers.keep() {
            println!("left running: {broker} and {redis}\nto stop them: {command}");
        }
    } else {
        servers.stop();
    }
    let mut rounds = tested?;
    if !options.skip_chaos && !options.stress && options.test_args.is_empty() {
        match private {
            true => chaos_quick(&mut rounds, &built, &interrupt)?,
            false => log::warn!(
                "NOT RUN: `cargo xtask chaos --quick`. It kills servers, so it starts its own, and needs rabbitmq-server \
                 and redis-server installed on this machine."
            ),
        }
    }
    if options.skip_python {
        log::warn!("NOT RUN: the tests beside Python services, because of --skip-python.");
    }
    println!("{}", test_run::summary(&rounds));
    let failed: usize = rounds.iter().map(|round| round.failed.len()).sum();
    if failed == 0 { Ok(()) } else { Err(Failure::says(format!("{failed} tests failed; the list is above"))) }
}

/// The quick form of the chaos rows, as one more result. An error only where a signal arrives.
fn chaos_quick(rounds: &mut [Round], built: &test_run::Built, interrupt: &Interrupt) -> Result<()> {
    let Some(round) = rounds.last_mut() else { return Ok(()) };
    match chaos::quick(built.programs.get(chaos::PROGRAM), interrupt) {
        Ok(()) => round.passed += 1,
        Err(stopped @ Failure::Interrupted(_)) => return Err(stopped),
        Err(failure) => {
            round.failed.push(FailedTest::new(&format!("({failure})"), "chaos", "cargo xtask chaos --quick"));
        }
    }
    Ok(())
}

fn test_run(options: &Options) -> TestRun {
    let packages: &[&str] = if options.skip_offline { &WITH_SERVERS } else { &["--workspace"] };
    let mut selection = Selection::of(&options.test_args).or_packages(packages);
    if options.skip_python {
        selection = selection.without(PYTHON_TESTS);
    }
    let is_chosen = !options.test_args.is_empty();
    let at_once = options.at_once.unwrap_or(if is_chosen && !options.stress { 1 } else { AT_ONCE });
    TestRun { selection, at_once, stress: options.stress, show: at_once == 1 }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;

    use super::*;
    use crate::workspace;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn of(words: &str) -> TestRun {
        test_run(&Line::try_parse_from(words.split_whitespace()).unwrap().options)
    }

    #[test]
    fn all_packages_are_tested_unless_told_otherwise() {
        let packages = |words| of(words).selection.or_packages(&["--package", "absent"]);
        let selection = |words: &[&str]| Selection::default().or_packages(words);
        assert_eq!(packages("it"), selection(&["--workspace"]));
        assert_eq!(packages("it --skip-offline"), selection(&WITH_SERVERS));
        assert_eq!(packages("it --skip-offline -- -p zc-events"), selection(&["-p", "zc-events"]));
        assert_eq!(packages("it --skip-python"), selection(&["--workspace"]).without(PYTHON_TESTS));
    }

    #[test]
    fn a_choice_is_run_alone_and_shown_as_it_goes() {
        let manner = |words| {
            let run = of(words);
            (run.at_once, run.show, run.stress)
        };
        assert_eq!(manner("it"), (AT_ONCE, false, false));
        assert_eq!(manner("it -- some_test"), (1, true, false));
        assert_eq!(manner("it --at-once 5 -- some_test"), (5, false, false));
        assert_eq!(manner("it --stress -- some_test"), (AT_ONCE, false, true));
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
                    let is_beside = text.contains("#[test]") && text.contains("interop_python::");
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
