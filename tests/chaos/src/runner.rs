//! Runs the chosen rows, one after another, and prints the results.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use super::table::{Ran, render};
use super::{Done, Fixture, Report, Row, child, rows};

/// The limit for one row. No row comes near it.
const LONGEST: Duration = Duration::from_secs(20 * 60);

/// The program's command line.
#[derive(clap::Parser)]
#[command(name = "chaos", disable_version_flag = true)]
pub struct Options {
    /// Fewer crashes, cuts and messages
    #[arg(long)]
    quick: bool,
    /// Run only this row; may be repeated
    #[arg(long, value_name = "NAME")]
    row: Vec<String>,
    /// List the rows and what each must hold, and run none
    #[arg(long)]
    list: bool,
    #[arg(long, hide = true)]
    child: Option<String>,
}

/// Runs the command line.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    if let Some(name) = &options.child {
        return verdict(run_child(name).map(|()| true).map_err(|error| format!("the child of {name}: {error}")));
    }
    if options.list {
        for Row { name, fault, must_hold, .. } in rows::ALL {
            println!("{name}: {fault}; {must_hold}");
        }
        return ExitCode::SUCCESS;
    }
    verdict(wanted(&options.row).and_then(|rows| run_rows(&rows, options.quick)))
}

/// Runs the child of the row `name`, until its function returns or the parent is gone.
fn run_child(name: &str) -> Done {
    let row = rows::ALL.iter().find(|row| row.name == name).ok_or("no such row")?;
    let child = row.child.ok_or("the row has no child")?;
    child::end_with_parent();
    child()
}

fn verdict(passed: Result<bool, String>) -> ExitCode {
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn wanted(names: &[String]) -> Result<Vec<&'static Row>, String> {
    if names.is_empty() {
        return Ok(rows::ALL.to_vec());
    }
    let find = |name: &String| rows::ALL.iter().copied().find(|row| row.name == name);
    names
        .iter()
        .map(|name| find(name).ok_or_else(|| format!("no row is called {name:?}; `--list` names them")))
        .collect()
}

fn run_rows(rows: &[&'static Row], quick: bool) -> Result<bool, String> {
    let begun = Instant::now();
    let fixture = Arc::new(Fixture::start(quick)?);
    let mut ran = Vec::new();
    for row in rows {
        log::info!("{}: {}", row.name, row.fault);
        let started = Instant::now();
        let (report, ended) = run_row(&fixture, row);
        ran.push(Ran { row, report, took: started.elapsed() });
        log::info!(
            "  {} after {:.0} s",
            if ran.last().is_some_and(Ran::passed) { "pass" } else { "FAIL" },
            started.elapsed().as_secs_f64()
        );
        if !ended {
            break; // The row still uses the servers.
        }
        fixture.mend()?;
    }
    println!("\n{}", render(&ran, quick, begun.elapsed()));
    Ok(ran.len() == rows.len() && ran.iter().all(Ran::passed))
}

/// Runs a row. Returns its report, and whether it has ended.
fn run_row(fixture: &Arc<Fixture>, row: &'static Row) -> (Report, bool) {
    let (sender, receiver) = channel();
    let fixture = Arc::clone(fixture);
    thread::spawn(move || {
        let mut report = Report::default();
        match catch_unwind(AssertUnwindSafe(|| (row.run)(&fixture, &mut report))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => report.check(&format!("it can be carried out: {error}"), false),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
                report.check(&format!("it can be carried out: {text}"), false);
            }
        }
        let _ = sender.send(report);
    });
    receiver.recv_timeout(LONGEST).map(|report| (report, true)).unwrap_or_else(|_| {
        let mut report = Report::default();
        report.check(&format!("it ends within {} minutes", LONGEST.as_secs() / 60), false);
        (report, false)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_name_and_have_one_each() {
        let names: std::collections::BTreeSet<&str> = rows::ALL.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), rows::ALL.len());
        assert_eq!(wanted(&[]).unwrap().len(), rows::ALL.len());
        assert_eq!(wanted(&[rows::ALL[0].name.to_owned()]).unwrap()[0].name, rows::ALL[0].name);
        assert!(wanted(&["no-such-row".to_owned()]).err().unwrap().contains("--list"));
    }

    #[test]
    fn the_documents_name_each_row_beside_a_guarantee_and_with_its_figures() {
        let guarantees = include_str!("../../../docs/reliability.md");
        let figures = include_str!("../../../docs/appendix-fault-runs.md");
        for row in rows::ALL {
            assert!(guarantees.contains(&format!("`{}`", row.name)), "no guarantee names {}", row.name);
            assert!(figures.contains(&format!("\n| `{}` |", row.name)), "no figures of {}", row.name);
        }
    }
}
