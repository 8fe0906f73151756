//! `zc-events rebuild`: all items of a kind, from lines of JSON, in stored batches with an event for each. How that is
//! done is the library's; here it is read, and shown how far it is.

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
use crate::lines::{self, Numbered, TICK};
use crate::output::{GOOD, counted, note};
use crate::progress;
use crate::session::Session;
use crate::values;

/// What is sent, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The type of the events, such as index_order
    #[arg(value_parser = values::name())]
    event_type: String,
    /// What the items are, such as Order
    #[arg(value_parser = values::name())]
    resource_type: String,
    /// A file with the items, JSON, one a line; or - for stdin
    items: PathBuf,
    /// How many items are in a batch
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: u32,
    /// Leave out so many items at the beginning, which went out in an earlier run
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    skip: u64,
}

/// Stores and emits, batch by batch, and says how much is out, whatever ends it.
pub(crate) fn run(session: &Session, options: &Options) -> Result<(), Failure> {
    let client = session.client(|settings| settings)?;
    let interrupt = session.interrupt.politely();
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
    tell(session, options, out, rebuilt.is_ok(), begun.elapsed())?;
    rebuilt.map(drop).map_err(|ended| failure(ended, why.take(), options.skip))
}

/// What is out, as JSON.
#[derive(Serialize)]
struct Out<'a> {
    event_type: &'a str,
    resource_type: &'a str,
    batches: u64,
    items: u64,
    skipped: u64,
    complete: bool,
}

fn tell(
    session: &Session,
    options: &Options,
    RebuildProgress { batches, items, .. }: RebuildProgress,
    complete: bool,
    took: Duration,
) -> io::Result<()> {
    if session.output.is_json() {
        let (event_type, resource_type) = (&*options.event_type, &*options.resource_type);
        let skipped = options.skip;
        return session.output.json(&Out { event_type, resource_type, batches, items, skipped, complete });
    }
    let seconds = took.as_secs_f64();
    let (items, batches) = (counted(items, "item", "items"), counted(batches, "batch", "batches"));
    session.output.text(format_args!("{items} in {batches} {GOOD}stored and confirmed{GOOD:#} in {seconds:.2} s"))
}

/// Why it ended, and where to go on. What was wrong with an item is told as it was found.
fn failure(ended: RebuildError, why: Option<Failure>, skipped: u64) -> Failure {
    let next = skipped + ended.progress().items;
    let failure = why.unwrap_or_else(|| Failure::from(zc_events::Error::from(ended)));
    if failure.text().is_empty() {
        note(format_args!("interrupted; --skip {next} goes on from here"));
        return failure;
    }
    match failure.outcome {
        Outcome::NotSent if next == 0 => failure,
        Outcome::Unknown => failure.hint(format!(
            "whether the batch behind the first {next} items is out is not known; --skip {next} goes on with it"
        )),
        _ => failure.hint(format!("once that is mended, --skip {next} goes on behind what is out")),
    }
}

/// The items, as they are read.
struct Items<'a> {
    lines: Receiver<Numbered>,
    interrupt: &'a Interrupt,
    /// How many are still to be left out.
    skip: u64,
    /// How many there are behind those, where that can be known before.
    total: Option<u64>,
}

impl<'a> Items<'a> {
    fn open(path: &Path, skip: u64, interrupt: &'a Interrupt) -> Result<Self, Failure> {
        if path == Path::new("-") {
            if io::stdin().is_terminal() {
                note("reading items from this terminal, JSON, one a line; Ctrl-D ends");
            }
            return Ok(Self { lines: lines::of_stdin()?, interrupt, skip, total: None });
        }
        let name = path.display().to_string();
        let cannot = |error: io::Error| Failure::usage(format!("{name} cannot be read: {error}"));
        let counted = File::open(path).map_err(cannot)?;
        // A pipe is gone once it is read.
        let is_file = counted.metadata().map_err(cannot)?.is_file();
        let (total, file) = if is_file {
            (Some(count(BufReader::new(counted)).map_err(cannot)?), File::open(path).map_err(cannot)?)
        } else {
            (None, counted)
        };
        let lines = lines::of(&name, move || Box::new(BufReader::new(file)))?;
        Ok(Self { lines, interrupt, skip, total: total.map(|total| total.saturating_sub(skip)) })
    }
}

/// How many lines have something in them.
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
                    return Some(item.map_err(|error| about(Failure::usage(format!("it is not JSON: {error}")))));
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
    fn what_is_counted_is_what_is_read() {
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
        assert!(failure.text().starts_with("line 4: it is not JSON: ") && !failure.text().contains("hunter2"));
        assert_eq!(read.len(), 2);
    }
}
