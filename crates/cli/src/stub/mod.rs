//! `zc-events stub`: stands in for remote services as a file says. What the file holds is in `file`; who answers what is
//! the library's `zc_events::testing`.

mod file;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use zc_events::Watched;
use zc_events::testing::{Answers, Stub, StubLine};

use crate::failure::Failure;
use crate::listen::say_what_is_new;
use crate::output::{BAD, FAINT, GOOD, Line, Output, note, time};
use crate::session::Session;
use file::File;

/// How soon a change of the file is noticed.
const LOOK: Duration = Duration::from_millis(250);

/// What is answered.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What is answered: .toml with [[expect]] tables, or .json with a list; read again whenever it changes
    ///
    /// Each entry names what is asked (`resource` or `call`, `method`, `pk`, `query`, ..) and the answer (`status` and `body`,
    /// `result`, `errors` or `silent`, `delay`, `error_rate`), and holds always, or as often as its `times` says. The
    /// first that fits answers; what none fits is left to others.
    file: PathBuf,
}

/// Stands in until a signal comes.
pub(crate) fn run(session: &Session, options: &Options) -> Result<(), Failure> {
    let mut file = File::new(options.file.clone());
    let expected = file.read()?;
    let count = expected.len();
    let answers = Arc::new(Answers::standing(expected));
    let client = session.client(|settings| settings)?;
    let output = session.output;
    let (sender, asked) = crossbeam_channel::unbounded();
    let missing = client.missing_exchanges(Watched::Events)?;
    let stub = Stub::temporary(&client, Arc::clone(&answers), move |line| {
        // Its receiver lives as long as the stub.
        let _ = sender.send((SystemTime::now(), line));
    })?;
    note(format_args!("answering {} on {}; Ctrl-C ends", expectations(count), client.settings().events_exchange()));
    say_what_is_new(&missing);
    let interrupt = session.interrupt.politely();
    let look = crossbeam_channel::tick(LOOK);
    while interrupt.check().is_ok() {
        crossbeam_channel::select! {
            recv(asked) -> line => if let Ok((at, line)) = line {
                show(output, at, &line)?;
            },
            recv(look) -> _ => match file.read_if_changed() {
                None => {}
                Some(Ok(expected)) => {
                    note(format_args!("{} was read again: {}", file.name(), expectations(expected.len())));
                    answers.replace(expected);
                }
                Some(Err(failure)) => {
                    failure.print();
                    note("the answers stay as they were");
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

/// A line of JSON about something that was asked.
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
