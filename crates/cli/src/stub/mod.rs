//! `zc-events stub`: answers requests in place of other services. `expectation_file` reads the file; the library matches requests
//! and replies.

mod expectation_file;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use zc_events::Watched;
use zc_events_testing::{Expectations, Stub, StubReport};

use crate::failure::Failure;
use crate::listen::note_new_exchanges;
use crate::output::{BAD, FAINT, GOOD, Line, Output, note, time};
use crate::session::Session;
use expectation_file::ExpectationFile;

/// How often the command checks the file for changes.
const FILE_CHECK: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The expectations: .toml with [[expect]] tables, or .json with a list; reloaded when it changes
    ///
    /// Each entry describes a request (`resource` or `call`, `method`, `pk`, `query`, ..) and its reply (`status` and `body`,
    /// `result`, `errors` or `silent`, `delay`, `error_rate`). It replies always, or as often as its `times` says. The
    /// first entry that matches replies; requests without a match get no reply from the stub.
    file: PathBuf,
}

/// Answers requests until a signal ends the command.
pub(crate) fn run(session: &Session, options: &Options) -> Result<(), Failure> {
    let mut file = ExpectationFile::new(options.file.clone());
    let expected = file.read()?;
    let count = expected.len();
    let expectations = Arc::new(Expectations::standing(expected));
    let client = session.client(|settings| settings)?;
    let output = session.output;
    let (sender, reports) = crossbeam_channel::unbounded();
    let missing = client.missing_exchanges(Watched::Events)?;
    let stub = Stub::temporary(&client, Arc::clone(&expectations), move |report| {
        // The receiver lives as long as the stub.
        let _ = sender.send((SystemTime::now(), report));
    })?;
    note(format_args!(
        "answering {} on {}; press Ctrl-C to stop",
        number_of_expectations(count),
        client.settings().events_exchange()
    ));
    note_new_exchanges(&missing);
    let interrupt = session.interrupt.handle_first();
    let look = crossbeam_channel::tick(FILE_CHECK);
    while interrupt.check().is_ok() {
        crossbeam_channel::select! {
            recv(reports) -> received => if let Ok((at, report)) = received {
                show(output, at, &report)?;
            },
            recv(look) -> _ => match file.read_if_changed() {
                None => {}
                Some(Ok(expected)) => {
                    note(format_args!("reloaded {}: {}", file.name(), number_of_expectations(expected.len())));
                    expectations.replace(expected);
                }
                Some(Err(failure)) => {
                    failure.print();
                    note("keeping the previous expectations");
                }
            },
        }
    }
    drop(stub);
    for (at, report) in reports.try_iter() {
        show(output, at, &report)?;
    }
    interrupt.check()
}

fn number_of_expectations(count: usize) -> String {
    if count == 1 { "1 expectation".to_owned() } else { format!("{count} expectations") }
}

/// A line of JSON about a request.
#[derive(Serialize)]
struct ReportLine<'a> {
    time: String,
    asked: &'a str,
    answered: &'a str,
    expected: bool,
}

fn show(output: Output, at: SystemTime, report: &StubReport) -> std::io::Result<()> {
    let time = time(at);
    let StubReport { request, outcome, is_expected, .. } = report;
    if output.is_json() {
        return output.json(&ReportLine { time, asked: request, answered: outcome, expected: *is_expected });
    }
    let colour = if *is_expected { GOOD } else { BAD };
    let clock = time.get(11..23).unwrap_or(&time);
    output.text(format_args!("{FAINT}{clock}{FAINT:#} {}: {colour}{}{colour:#}", Line(request), Line(outcome)))
}
