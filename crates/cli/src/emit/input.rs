//! The lines of stdin.

use std::io::{self, BufRead as _, Read as _};

use crossbeam_channel::{Receiver, bounded};

use crate::exit::Exit;
use crate::failure::Failure;

/// How many lines are read ahead.
const READ_AHEAD: usize = 1000;
/// The longest line that is read, in bytes.
const LONGEST_LINE: u64 = 64 << 20;

/// A line with its number, from 1 on; or why there is none.
pub(super) type Numbered = (u64, Result<String, Failure>);

/// The lines of stdin with their numbers, read by a thread, so that what was sent is waited for while none comes.
pub(super) fn lines() -> Result<Receiver<Numbered>, Failure> {
    let (sender, receiver) = bounded(READ_AHEAD);
    let read = move || {
        let mut stdin = io::stdin().lock();
        for number in 1.. {
            let mut line = Vec::new();
            let (read, goes_on) = match stdin.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
                Ok(0) => return,
                // What follows is in the middle of it.
                Ok(length) if length as u64 == LONGEST_LINE => {
                    (Err(Failure::usage(format!("the line is longer than {LONGEST_LINE} bytes"))), false)
                }
                Ok(_) => (String::from_utf8(line).map_err(|_| Failure::usage("the line is not UTF-8")), true),
                Err(error) => (Err(Failure::new(Exit::Failed, format!("stdin cannot be read: {error}"))), false),
            };
            if sender.send((number, read)).is_err() || !goes_on {
                return;
            }
        }
    };
    let started = std::thread::Builder::new().name("stdin".to_owned()).spawn(read);
    started.map_err(|error| Failure::new(Exit::Failed, format!("the system gives no thread: {error}")))?;
    Ok(receiver)
}
