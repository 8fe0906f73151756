//! The steps of a command that checks many things: each runs, also after one has failed, and a table says how it went.

use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::process::{Polite, Process};
use crate::workspace;

/// How long cargo may take to end after a SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// The steps so far.
#[derive(Default)]
pub(super) struct Steps {
    ran: Vec<Step>,
}

struct Step {
    name: String,
    passed: bool,
    took: Duration,
}

impl Steps {
    /// Runs one step and notes how it went. An error only if a signal arrived.
    pub(super) fn run(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        println!("== {name}");
        let started = Instant::now();
        let done = work();
        match &done {
            Err(Failure::Interrupted(_)) => return done,
            Err(failure) => eprintln!("{failure}"),
            Ok(()) => {}
        }
        self.ran.push(Step { name: name.to_owned(), passed: done.is_ok(), took: started.elapsed() });
        Ok(())
    }

    /// Prints the table. An error where a step failed.
    pub(super) fn end(&self) -> Result<()> {
        println!();
        for Step { name, passed, took } in &self.ran {
            println!("{:6} {:>7.1} s  {name}", if *passed { "ok" } else { "FAILED" }, took.as_secs_f32());
        }
        let failed: Vec<&str> = self.ran.iter().filter(|step| !step.passed).map(|step| step.name.as_str()).collect();
        if failed.is_empty() { Ok(()) } else { Err(Failure::says(format!("failed: {}", failed.join(", ")))) }
    }
}

/// Runs cargo to its end; the error is its verdict.
pub(super) fn cargo(arguments: &[&str], interrupt: &Interrupt) -> Result<()> {
    let line = format!("cargo {}", arguments.join(" "));
    let mut command = workspace::cargo(&workspace::root());
    let mut process = Process::start(&line, command.args(arguments).env("RUSTDOCFLAGS", "-D warnings"))?;
    match process.wait(interrupt, None) {
        Ok(Some(status)) => Failure::unless_success(&line, status),
        Ok(None) => Err(Failure::says(format!("{line} did not end"))),
        Err(stopped) => {
            process.stop(Polite::Group, GRACE);
            Err(stopped)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_noted_and_the_next_one_runs() {
        let mut steps = Steps::default();
        steps.run("bad", || Err(Failure::says("no"))).unwrap();
        steps.run("good", || Ok(())).unwrap();
        let ran: Vec<(&str, bool)> = steps.ran.iter().map(|step| (step.name.as_str(), step.passed)).collect();
        assert_eq!(ran, [("bad", false), ("good", true)]);
        assert_eq!(steps.end().unwrap_err().to_string(), "failed: bad");
        assert!(steps.run("stopped", || Err(Failure::Interrupted(2))).is_err());
    }
}
