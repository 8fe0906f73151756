//! `zc-events stub`: answers requests in place of other services. `expectation_file` reads the file; the library matches requests
//! and replies.

mod expectation_file;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use zc_events::Watched;
use zc_events_testing::{Answers, Stub, StubLine};

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
    let answers = Arc::new(Answers::standing(expected));
    let client = session.client(|settings| settings)?;
    let output = session.output;
    let (sender, asked) = crossbeam_channel::unbounded();
    let missing = client.missing_exchanges(Watched::Events)?;
    let stub = Stub::temporary(&client, Arc::clone(&answers), move |line| {
        // The receiver lives as long as the stub.
        let _ = sender.send((SystemTime::now(), line));
    })?;
    note(format_args!(
        "answering {} on {}; press Ctrl-C to stop",
        expectations(count),
        client.settings().events_exchange()
    ));
    note_new_exchanges(&missing);
    let interrupt = session.interrupt.handle_first();
    let look = crossbeam_channel::tick(FILE_CHECK);
    while interrupt.check().is_ok() {
        crossbeam_channel::select! {
            recv(asked) -> line => if let Ok((at, line)) = line {
                show(output, at, &line)?;
            },
            recv(look) -> _ => match file.read_if_changed() {
                None => {}
                Some(Ok(expected)) => {
                    note(format_args!("reloaded {}: {}", file.name(), expectations(expected.len())));
                    answers.replace(expected);
                }
                Some(Err(failure)) => {
                    failure.print();
                    note("keeping the previous expectations");
                }
            },
        }
    }
    drop(stub);
    for (at, line) in asked.try_iter() {
        show(output, at, &line)?;
    }
    interrupt.check()
}

fn expectations(count: usize) -> String {
    if count == 1 { "1 expectation".to_owned() } else { format!("{count} expectations") }
}

/// A line of JSON about a request.
#[derive(Serialize)]
struct Asked<'a> {
    time: String,
    asked: &'a str,
    answered: &'a str,
    expected: bool,
}

fn show(output: Output, at: SystemTime, line: &StubLine) -> std::io::Result<()> {
    let time = time(at);
    let StubLine { asked, answered, expected, .. } = line;
    if output.is_json() {
        return output.json(&Asked { time, asked, answered, expected: *expected });
    }
    let colour = if *expected { GOOD } else { BAD };
    let clock = time.get(11..23).unwrap_or(&time);
    output.text(format_args!("{FAINT}{clock}{FAINT:#} {}: {colour}{}{colour:#}", Line(asked), Line(answered)))
}
