//! Reads lines of stdin or a file on a separate thread, so that the command notices signals while it waits for a line.

use std::io::{self, BufRead, Read as _};
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};

use crate::exit::Exit;
use crate::failure::Failure;

/// How often a waiting command checks for signals.
pub(crate) const TICK: Duration = Duration::from_millis(50);
/// How many lines are read ahead.
const READ_AHEAD: usize = 1000;
/// The longest line that is read, in bytes.
const LONGEST_LINE: u64 = 64 << 20;

/// A line, or why it cannot be read, with its number from 1.
pub(crate) type NumberedLine = (u64, Result<String, Failure>);

/// Reads the lines of stdin.
pub(crate) fn of_stdin() -> Result<Receiver<NumberedLine>, Failure> {
    of("stdin", || Box::new(io::stdin().lock()))
}

/// Reads the lines of the input that `open` opens. Errors name it `name`.
pub(crate) fn of(
    name: &str,
    open: impl FnOnce() -> Box<dyn BufRead> + Send + 'static,
) -> Result<Receiver<NumberedLine>, Failure> {
    let (sender, receiver) = bounded(READ_AHEAD);
    let source = name.to_owned();
    let read = move || {
        let mut input = open();
        for number in 1.. {
            let mut line = Vec::new();
            let (read, goes_on) = match input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
                Ok(0) => return,
                // The rest of the line would look like a line of its own.
                Ok(length) if length as u64 == LONGEST_LINE => {
                    (Err(Failure::usage(format!("the line is longer than {LONGEST_LINE} bytes"))), false)
                }
                Ok(_) => (String::from_utf8(line).map_err(|_| Failure::usage("the line is not valid UTF-8")), true),
                Err(error) => (Err(Failure::new(Exit::Failed, format!("{source} cannot be read: {error}"))), false),
            };
            if sender.send((number, read)).is_err() || !goes_on {
                return;
            }
        }
    };
    let started = std::thread::Builder::new().name("lines".to_owned()).spawn(read);
    started.map_err(|error| Failure::new(Exit::Failed, format!("cannot start a thread: {error}")))?;
    Ok(receiver)
}
