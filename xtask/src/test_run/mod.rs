//! A run of the tests: cargo builds every test program at once, then several of them run at a time, each to its end, and
//! a list says at last what failed.

mod load;
mod output;
mod programs;
mod runner;
mod selection;
mod summary;

use std::ffi::OsString;
use std::time::Duration;

use crate::failure::Result;
use crate::interrupt::Interrupt;
use crate::workspace;
use load::CpuLoad;
pub(crate) use programs::Built;
use programs::TestProgram;
use runner::{Ended, Job, Manner};
pub(crate) use selection::Selection;
pub(crate) use summary::{FailedTest, Round, text as summary};

/// The longest that one test program may take.
const LIMIT: Duration = Duration::from_secs(30 * 60);
/// How often `--stress` runs all tests.
const ROUNDS: usize = 3;
const DOCTESTS: &str = "doctests";
/// How many tests of a program run at once: of those with servers twice as many as there are cores.
const THREADS: &str = "RUST_TEST_THREADS";

/// What to run, and how.
pub(crate) struct TestRun {
    pub(crate) selection: Selection,
    /// How many test programs run at once.
    pub(crate) at_once: usize,
    /// All tests several times beside a load on the processor.
    pub(crate) stress: bool,
    /// Output is shown as it comes.
    pub(crate) show: bool,
}

/// Builds the programs. Blocks for as long as cargo takes.
pub(crate) fn build(selection: &Selection, interrupt: &Interrupt) -> Result<Built> {
    programs::build(selection.build().into_iter().chain(selection.programs()), interrupt)
}

impl TestRun {
    /// Runs the tests of `built`, with these variables in their environment. An error only where a signal arrives or a
    /// program cannot be started.
    pub(crate) fn run(
        &self,
        built: &Built,
        environment: &[(String, OsString)],
        interrupt: &Interrupt,
    ) -> Result<Vec<Round>> {
        let jobs = self.jobs(built, environment);
        let limit = if self.stress { 3 * LIMIT } else { LIMIT };
        let manner = Manner { at_once: self.at_once, limit, show: self.show };
        let _load = self.stress.then(CpuLoad::start);
        let mut rounds = Vec::new();
        for number in 1..=if self.stress { ROUNDS } else { 1 } {
            if self.stress {
                println!("== round {number} of {ROUNDS}");
            }
            rounds.push(round(&runner::run(&jobs, manner, interrupt)?, built));
        }
        Ok(rounds)
    }

    /// The test programs in their order; the doctests, which keep the processor busiest, begin while others wait.
    fn jobs(&self, built: &Built, environment: &[(String, OsString)]) -> Vec<Job> {
        let mut jobs: Vec<Job> = built.tests.iter().map(|test| self.job(test, environment)).collect();
        let root = workspace::root();
        jobs.extend(self.selection.doctests().map(|arguments| Job {
            title: DOCTESTS.to_owned(),
            program: workspace::cargo(&root).get_program().into(),
            arguments,
            folder: root,
            environment: environment.to_vec(),
        }));
        jobs
    }

    fn job(&self, test: &TestProgram, environment: &[(String, OsString)]) -> Job {
        let mut environment = environment.to_vec();
        // As cargo sets it; a test finds its files there.
        environment.push(("CARGO_MANIFEST_DIR".to_owned(), test.folder.clone().into()));
        if test.needs_servers() && std::env::var_os(THREADS).is_none() {
            let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
            environment.push((THREADS.to_owned(), (2 * cores).to_string().into()));
        }
        Job {
            title: test.title(),
            program: test.executable.clone(),
            arguments: self.selection.tests().to_vec(),
            folder: test.folder.clone(),
            environment,
        }
    }
}

fn round(ended: &[Ended], built: &Built) -> Round {
    let mut round = Round::default();
    for end in ended {
        round.passed += end.counted.passed;
        round.failed.extend(failed(end, built.tests.get(end.job)));
    }
    round
}

/// The tests that failed in a program; without a program in the doctests.
fn failed(end: &Ended, test: Option<&TestProgram>) -> Vec<FailedTest> {
    let again = "cargo xtask integration --";
    let mut failed = Vec::new();
    let title = test.map_or_else(|| DOCTESTS.to_owned(), TestProgram::title);
    for (library, name) in &end.counted.names {
        let command = match (test, library) {
            (Some(test), _) => format!("{again} {} {name} -- --exact", test.options()),
            // A library is called after its package.
            (None, Some(library)) => format!("{again} --doc --package {} '{name}'", library.replace('_', "-")),
            (None, None) => format!("{again} --doc '{name}'"),
        };
        failed.push(FailedTest { what: name.clone(), title: title.clone(), command });
    }
    if let Some(why) = &end.why {
        let options = test.map_or_else(|| "--doc".to_owned(), TestProgram::options);
        failed.push(FailedTest { what: format!("(the program {why})"), title, command: format!("{again} {options}") });
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::output::Counted;
    use super::programs::Target;
    use super::*;

    fn program() -> TestProgram {
        TestProgram {
            package: "integration-tests".to_owned(),
            target: Target::Named("--test", "it".to_owned()),
            executable: "/t/it".into(),
            folder: "/tests".into(),
        }
    }

    fn ended(names: &[(Option<&str>, &str)], why: Option<&str>) -> Ended {
        let names = names.iter().map(|(library, name)| (library.map(str::to_owned), (*name).to_owned())).collect();
        let counted = Counted { names, ..Counted::default() };
        Ended { job: 0, counted, why: why.map(str::to_owned), took: Duration::ZERO }
    }

    #[test]
    fn each_failed_test_has_a_command_that_runs_it_alone() {
        let commands = |end: &Ended, test: Option<&TestProgram>| {
            failed(end, test).into_iter().map(|it| it.command).collect::<Vec<_>>()
        };
        assert_eq!(
            commands(&ended(&[(None, "retry::keeps_its_id")], None), Some(&program())),
            ["cargo xtask integration -- --package integration-tests --test it retry::keeps_its_id -- --exact"]
        );
        assert_eq!(
            commands(&ended(&[(Some("zc_events"), "src/lib.rs - Event (line 3)")], None), None),
            ["cargo xtask integration -- --doc --package zc-events 'src/lib.rs - Event (line 3)'"]
        );
        assert_eq!(
            commands(&ended(&[], Some("ended with signal: 6")), Some(&program())),
            ["cargo xtask integration -- --package integration-tests --test it"]
        );
    }
}
