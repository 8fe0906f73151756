//! `cargo xtask ci`: everything that has to pass and needs no server.

use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::process::{Polite, Process};
use crate::{tidy, workspace};

/// Runs every step, also after one has failed, and says at the end how each went.
pub(crate) fn run() -> Result<()> {
    let interrupt = Interrupt::listen()?;
    let whole = ["--workspace", "--all-features"];
    let clippy = [&["clippy"], &whole[..], &["--all-targets", "--", "-D", "warnings"]].concat();
    let doc = [&["doc", "--no-deps"], &whole[..]].concat();
    let mut report = Vec::new();
    // The fuzz targets are a workspace of their own; without libFuzzer they need nothing but Rust.
    let fuzz =
        ["--locked", "--manifest-path=fuzz/Cargo.toml", "--target-dir=target/fuzz/plain", "--no-default-features"];
    let fuzz_clippy = [&["clippy"], &fuzz[..], &["--all-targets", "--", "-D", "warnings"]].concat();
    let steps = [
        ("fmt", ["fmt", "--all", "--check"].to_vec()),
        ("fmt fuzz", ["fmt", "--manifest-path", "fuzz/Cargo.toml", "--", "--check"].to_vec()),
        ("clippy", clippy),
        ("clippy fuzz", fuzz_clippy),
        ("test fuzz", [&["test", "--quiet"], &fuzz[..]].concat()),
        ("doc", doc),
    ];
    for (name, arguments) in steps {
        step(name, &mut report, || cargo(&arguments, &interrupt))?;
    }
    step("tidy", &mut report, tidy::run)?;

    let failed: Vec<&str> = report.iter().filter(|step| !step.passed).map(|step| step.name).collect();
    println!();
    for Step { name, passed, took } in &report {
        println!("{:6} {:>7.1} s  {name}", if *passed { "ok" } else { "FAILED" }, took.as_secs_f32());
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::says(format!("failed: {}", failed.join(", ")))) }
}

struct Step {
    name: &'static str,
    passed: bool,
    took: Duration,
}

/// Runs one step and notes how it went. An error only if a signal arrived.
fn step(name: &'static str, report: &mut Vec<Step>, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("== {name}");
    let started = Instant::now();
    let done = work();
    match &done {
        Err(Failure::Interrupted(_)) => return done,
        Err(failure) => eprintln!("{failure}"),
        Ok(()) => {}
    }
    report.push(Step { name, passed: done.is_ok(), took: started.elapsed() });
    Ok(())
}

fn cargo(arguments: &[&str], interrupt: &Interrupt) -> Result<()> {
    let line = format!("cargo {}", arguments.join(" "));
    let mut command = workspace::cargo(&workspace::root());
    let mut process = Process::start(&line, command.args(arguments).env("RUSTDOCFLAGS", "-D warnings"))?;
    match process.wait(interrupt, None) {
        Ok(Some(status)) => Failure::unless_success(&line, status),
        Ok(None) => Err(Failure::says(format!("{line} did not end"))),
        Err(stopped) => {
            process.stop(Polite::Group, Duration::from_secs(5));
            Err(stopped)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_noted_and_the_next_one_runs() {
        let mut report = Vec::new();
        step("bad", &mut report, || Err(Failure::says("no"))).unwrap();
        step("good", &mut report, || Ok(())).unwrap();
        assert_eq!(
            report.iter().map(|step| (step.name, step.passed)).collect::<Vec<_>>(),
            [("bad", false), ("good", true)]
        );
        assert!(step("stopped", &mut report, || Err(Failure::Interrupted(2))).is_err());
    }
}
