//! `zc-events doctor`: shows what `zc_events_doctor` finds.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use zc_events_doctor::{Check, Doctor, Finding, Report, Status};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BAD, BOLD, FAINT, GOOD, Line, Output};
use crate::session::Session;
use crate::value_parsers;

/// Warnings and unknown results.
const ATTENTION: Style = AnsiColor::Yellow.on_default();

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Limit of the whole examination: 500ms, 5s, 2m
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = value_parsers::duration)]
    timeout: Duration,
    /// Leave out a check, such as consumers before the service has started; may be repeated
    #[arg(long, value_name = "CHECK")]
    without: Vec<Check>,
}

/// Runs all checks; fails if one of them fails.
pub(crate) fn run(session: &Session, options: &Options) -> Result<(), Failure> {
    let doctor = Doctor::from_env().timeout(options.timeout);
    let doctor = options.without.iter().fold(doctor, |doctor, check| doctor.without(*check));
    let mut shown = Ok(());
    let report = doctor.examine_with(|finding| {
        if shown.is_ok() {
            shown = show(session.output, finding);
        }
    });
    shown?;
    if !session.output.is_json() {
        session.output.text(summary(&report))?;
    }
    if report.is_healthy() { Ok(()) } else { Err(Failure::silent(Exit::Failed)) }
}

fn show(output: Output, finding: &Finding) -> std::io::Result<()> {
    if output.is_json() {
        return output.json(finding);
    }
    let style = match finding.status {
        Status::Ok => GOOD,
        Status::Warning | Status::Unknown => ATTENTION,
        Status::Failed => BAD,
        _ => FAINT,
    };
    let (status, check) = (finding.status, finding.check);
    output.text(format_args!("{style}{status:8}{style:#} {BOLD}{check:12}{BOLD:#} {}", Line(&finding.seen)))?;
    match &finding.remedy {
        Some(remedy) => output.text(format_args!("{:21} -> {}", "", Line(remedy))),
        None => Ok(()),
    }
}

/// `12 ok, 1 warning, 2 failed`.
fn summary(report: &Report) -> String {
    let count = |status: Status| report.findings().iter().filter(|finding| finding.status == status).count();
    let all = [Status::Ok, Status::Warning, Status::Failed, Status::Unknown, Status::Skipped];
    let counted = all.map(|status| (count(status), status)).into_iter().filter(|(count, _)| *count > 0);
    counted.map(|(count, status)| format!("{count} {status}")).collect::<Vec<_>>().join(", ")
}
