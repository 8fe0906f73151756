//! A harness that runs the guard on a scripted socket, for tests and fuzzing.

use std::io::{self, Read};
use std::iter::{Copied, Cycle};
use std::slice::Iter;
use std::sync::Arc;

use amq_protocol::frame::{AMQPFrame, parse_frame};

use super::defect_header::GuardReport;
use super::stream::GuardedStream;

/// The nonce of scripted connections.
pub(crate) const NONCE: &str = "0123456789abcdef0123456789abcdef";

/// The bytes that passed, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) released: Vec<u8>,
    /// Why the guard ended the connection. `None` if it read the whole script.
    pub(crate) refusal: Option<String>,
}

/// Sends `bytes` through a guard. The socket returns as many bytes at a time as `splits` says; the list repeats. 0
/// blocks once; 255 and an empty `splits` return all that fits. The size of reads from the guard varies with them.
pub(crate) fn run(bytes: &[u8], splits: &[u8]) -> Outcome {
    let guard_report = Arc::new(GuardReport::with_nonce(NONCE.to_owned()));
    let mut stream = GuardedStream::new(Script::new(bytes, splits), Arc::clone(&guard_report));
    let mut sizes = cycle(splits);
    let mut released = Vec::new();
    let mut out = vec![0; 16 * 1024];
    let mut blocks = 0;
    loop {
        let size = sizes.next().map_or(out.len(), |size| 1 + usize::from(size) * 64);
        match stream.read(&mut out[..size]) {
            Ok(0) => return Outcome { released, refusal: None },
            Ok(count) => released.extend_from_slice(&out[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => blocks += 1,
            Err(error) => {
                assert_eq!(Some(error.to_string().as_str()), guard_report.refusal());
                return Outcome { released, refusal: Some(error.to_string()) };
            }
        }
        assert!(blocks <= bytes.len() + 1, "the guard blocks although the socket does not");
    }
}

/// The frames in `released`, as amiquip's parser reads them. Panics if there is anything else.
pub(crate) fn assert_frames(released: &[u8]) -> Vec<AMQPFrame> {
    let mut frames = Vec::new();
    let mut rest = released;
    while !rest.is_empty() {
        let parsed = parse_frame(rest);
        assert!(parsed.is_ok(), "released what the parser refuses: {:?}", &rest[..rest.len().min(64)]);
        if let Ok((left, frame)) = parsed {
            frames.push(frame);
            rest = left;
        }
    }
    frames
}

fn cycle(splits: &[u8]) -> Cycle<Copied<Iter<'_, u8>>> {
    splits.iter().copied().cycle()
}

struct Script<'a> {
    bytes: &'a [u8],
    splits: Cycle<Copied<Iter<'a, u8>>>,
    blocked: bool,
}

impl<'a> Script<'a> {
    fn new(bytes: &'a [u8], splits: &'a [u8]) -> Self {
        Self { bytes, splits: cycle(splits), blocked: false }
    }
}

impl Read for Script<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let split = self.splits.next().unwrap_or(u8::MAX);
        if split == 0 && !self.blocked {
            self.blocked = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.blocked = false;
        let split = if split == u8::MAX { out.len() } else { usize::from(split).max(1) };
        assert!(!out.is_empty(), "the guard has no room left");
        let count = split.min(out.len());
        self.bytes.read(&mut out[..count])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_given_as_it_is_sliced() {
        let mut script = Script::new(b"abcdef", &[2, 0, 0, 255]);
        let mut out = [0; 8];
        assert_eq!(script.read(&mut out).unwrap(), 2);
        assert_eq!(script.read(&mut out).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(script.read(&mut out).unwrap(), 1);
        assert_eq!(script.read(&mut out).unwrap(), 3);
        assert_eq!(script.read(&mut out).unwrap(), 0);
    }
}
