//! `zc-events rebuild`: reads items as lines of JSON, and shows the progress while the library stores them in batches and emits
//! an event for each batch.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use serde::Serialize;
use serde_json::Value;
use zc_events::{Outcome, RebuildError, RebuildProgress};

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::line_reader::{self, NumberedLine, TICK};
use crate::output::{GOOD, counted, note};
use crate::progress;
use crate::session::Session;
use crate::value_parsers;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The event type, such as index_order
    #[arg(value_parser = value_parsers::name())]
    event_type: String,
    /// The resource type of the items, such as Order
    #[arg(value_parser = value_parsers::name())]
    resource_type: String,
    /// A file with one JSON item per line, or - for stdin
    items: PathBuf,
    /// Items per batch
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = value_parsers::whole_number::<u32>(1, u32::MAX.into()))]
    batch_size: u32,
    /// Skip this many items, which an earlier run has sent
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    skip: u64,
}

/// Stores and emits batch by batch. Reports how much was sent, even after a failure or a signal.
pub(crate) fn run(session: &Session, options: &Options) -> Result<(), Failure> {
    let client = session.client(|settings| settings)?;
    let interrupt = session.interrupt.handle_first();
    let items = Items::open(&options.items, options.skip, interrupt)?;
    let bar = progress::bar(items.total, "items");
    let begun = Instant::now();
    let why = RefCell::new(None);
    let rebuilt = client
        .index_rebuild(&options.event_type, &options.resource_type)
        .batch_size(options.batch_size as usize)
        .on_progress(|progress| bar.set_position(progress.items))
        .try_emit(items.map(|item| {
            item.map_err(|failure| {
                let text = failure.text().to_owned();
                *why.borrow_mut() = Some(failure);
                text
            })
        }));
    bar.finish_and_clear();
    let out = match &rebuilt {
        Ok(progress) => *progress,
        Err(ended) => ended.progress(),
    };
    report(session, options, out, rebuilt.is_ok(), begun.elapsed())?;
    rebuilt.map(drop).map_err(|ended| failure(ended, why.take(), options.skip))
}

/// What was sent, as JSON.
#[derive(Serialize)]
struct Sent<'a> {
    event_type: &'a str,
    resource_type: &'a str,
    batches: u64,
    items: u64,
    skipped: u64,
    complete: bool,
}

fn report(
    session: &Session,
    options: &Options,
    RebuildProgress { batches, items, .. }: RebuildProgress,
    complete: bool,
    took: Duration,
) -> io::Result<()> {
    if session.output.is_json() {
        let (event_type, resource_type) = (&*options.event_type, &*options.resource_type);
        let skipped = options.skip;
        return session.output.json(&Sent { event_type, resource_type, batches, items, skipped, complete });
    }
    let seconds = took.as_secs_f64();
    let (items, batches) = (counted(items, "item", "items"), counted(batches, "batch", "batches"));
    session.output.text(format_args!("{items} in {batches} {GOOD}stored and confirmed{GOOD:#} in {seconds:.2} s"))
}

/// Why the rebuild ended, and where to resume. `why` is the failure of an item, if there was one.
fn failure(ended: RebuildError, why: Option<Failure>, skipped: u64) -> Failure {
    let next = skipped + ended.progress().items;
    let failure = why.unwrap_or_else(|| Failure::from(zc_events::Error::from(ended)));
    if failure.text().is_empty() {
        note(format_args!("interrupted; resume with --skip {next}"));
        return failure;
    }
    match failure.outcome {
        Outcome::NotSent if next == 0 => failure,
        Outcome::Unknown => failure
            .hint(format!("the batch after the first {next} items may have been sent; --skip {next} sends it again")),
        _ => failure.hint(format!("after fixing it, resume with --skip {next}")),
    }
}

/// Reads the items.
struct Items<'a> {
    lines: Receiver<NumberedLine>,
    interrupt: &'a Interrupt,
    /// How many items to skip.
    skip: u64,
    /// The number of the other items; `None` if the input is not a file.
    total: Option<u64>,
}

impl<'a> Items<'a> {
    fn open(path: &Path, skip: u64, interrupt: &'a Interrupt) -> Result<Self, Failure> {
        if path == Path::new("-") {
            if io::stdin().is_terminal() {
                note("reading items from the terminal, one JSON value per line; press Ctrl-D to end");
            }
            return Ok(Self { lines: line_reader::of_stdin()?, interrupt, skip, total: None });
        }
        let name = path.display().to_string();
        let cannot = |error: io::Error| Failure::usage(format!("{name} cannot be read: {error}"));
        let counted = File::open(path).map_err(cannot)?;
        // A pipe can be read only once, so it is not counted.
        let is_file = counted.metadata().map_err(cannot)?.is_file();
        let (total, file) = if is_file {
            (Some(count(BufReader::new(counted)).map_err(cannot)?), File::open(path).map_err(cannot)?)
        } else {
            (None, counted)
        };
        let lines = line_reader::of(&name, move || Box::new(BufReader::new(file)))?;
        Ok(Self { lines, interrupt, skip, total: total.map(|total| total.saturating_sub(skip)) })
    }
}

/// The number of lines that are not empty.
fn count(mut file: impl io::BufRead) -> io::Result<u64> {
    let (mut total, mut line) = (0, Vec::new());
    while file.read_until(b'\n', &mut line)? > 0 {
        total += u64::from(!line.trim_ascii().is_empty());
        line.clear();
    }
    Ok(total)
}

impl Iterator for Items<'_> {
    type Item = Result<Value, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Err(interrupted) = self.interrupt.check() {
                return Some(Err(interrupted));
            }
            let (number, line) = match self.lines.recv_timeout(TICK) {
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return None,
                Ok(line) => line,
            };
            let about = |failure: Failure| failure.about(&format!("line {number}"));
            match line {
                Ok(text) if text.trim().is_empty() => {}
                Ok(_) if self.skip > 0 => self.skip -= 1,
                Ok(text) => {
                    let item = serde_json::from_str(text.trim());
                    return Some(item.map_err(|error| about(Failure::usage(format!("not valid JSON: {error}")))));
                }
                Err(failure) => return Some(Err(about(failure))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_matches_the_items_read() {
        assert_eq!(count(&b"{}\n\n  \n[1]\n\"last\""[..]).unwrap(), 3);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("items.jsonl");
        std::fs::write(&path, "{\"id\": 1}\n\n{\"id\": 2}\n{\"id\": hunter2}").unwrap();
        let interrupt = Interrupt::default();
        let items = Items::open(&path, 1, &interrupt).unwrap();
        assert_eq!(items.total, Some(2));
        let read: Vec<_> = items.collect();
        assert_eq!(read[0].as_ref().unwrap()["id"], 2);
        let failure = read[1].as_ref().unwrap_err();
        assert!(failure.text().starts_with("line 4: not valid JSON: ") && !failure.text().contains("hunter2"));
        assert_eq!(read.len(), 2);
    }
}
