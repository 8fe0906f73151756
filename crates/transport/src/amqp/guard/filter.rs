//! Turns bytes into checked frames, in one buffer of a fixed size. It knows no socket, and how the bytes are split on
//! their way makes no difference.

use std::sync::Arc;

use super::FRAME_MAX;
use super::defect_header::GuardReport;
use super::frame::{END, HEAD, Head, Kind, Refusal};
use super::{header, method};

/// By how many bytes a content header may exceed the frame size. A broker cannot split a content header, and adds
/// entries when it dead-letters a message.
const SLACK: usize = 16 * 1024;
/// Space to read into, after the largest frame that is kept.
const ROOM: usize = 64 * 1024;

pub(super) struct Filter {
    buffer: Box<[u8]>,
    /// Bytes from here to `released` are checked.
    start: usize,
    /// Bytes from here to `end` are not checked yet.
    released: usize,
    end: usize,
    /// Replaces a frame that ended at `released`.
    patch: Vec<u8>,
    patched: usize,
    oversize: Option<Oversize>,
    refusal: Option<Refusal>,
    /// The largest payload that was agreed on.
    limit: usize,
    guard_report: Arc<GuardReport>,
}

/// A content header that is too large and is skipped.
struct Oversize {
    /// How many bytes of its payload are still to come.
    left: usize,
    patch: Vec<u8>,
}

/// The result of checking the next frame.
enum Step {
    /// It has not arrived completely.
    Wait,
    Released,
    /// The replacement of a frame is ready, or the checked bytes must be taken first.
    Stop,
}

impl Filter {
    pub(super) fn new(guard_report: Arc<GuardReport>) -> Self {
        let limit = FRAME_MAX as usize;
        let buffer = vec![0; HEAD + limit + SLACK + 1 + ROOM].into_boxed_slice();
        let (patch, patched) = (Vec::new(), 0);
        Self {
            buffer,
            start: 0,
            released: 0,
            end: 0,
            patch,
            patched,
            oversize: None,
            refusal: None,
            limit,
            guard_report,
        }
    }

    /// Copies checked bytes to `out`. `None` if more must be read first; an error if the connection ends here.
    pub(super) fn take(&mut self, out: &mut [u8]) -> Option<Result<usize, Refusal>> {
        loop {
            if self.start < self.released {
                let given = give(&self.buffer[self.start..self.released], out);
                self.start += given;
                return Some(Ok(given));
            }
            if self.patched < self.patch.len() {
                let given = give(&self.patch[self.patched..], out);
                self.patched += given;
                return Some(Ok(given));
            }
            if let Some(refusal) = &self.refusal {
                return Some(Err(refusal.clone()));
            }
            if !self.advance() {
                return None;
            }
        }
    }

    /// The space to read into. Never empty after `take` has returned `None`.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.released, self.end) = (0, 0, 0);
        } else if self.start > 0 && self.buffer.len() - self.end < ROOM / 2 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.released -= self.start;
            self.end -= self.start;
            self.start = 0;
        }
        &mut self.buffer[self.end..]
    }

    /// Marks this many bytes of the space as read.
    pub(super) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// Checks the bytes that have arrived. Returns whether there are bytes to take.
    fn advance(&mut self) -> bool {
        loop {
            match self.step() {
                Ok(Step::Released) => {}
                Ok(Step::Wait) => return self.start < self.released,
                Ok(Step::Stop) => return true,
                Err(refusal) => {
                    self.guard_report.refuse(&refusal.0);
                    self.refusal = Some(refusal);
                    return true;
                }
            }
        }
    }

    fn step(&mut self) -> Result<Step, Refusal> {
        if self.oversize.is_some() {
            return self.skip_oversize();
        }
        let waiting = self.start < self.released;
        let unchecked = &mut self.buffer[self.released..self.end];
        let Some(head) = Head::read(unchecked)? else {
            return Ok(Step::Wait);
        };
        let kept = if head.kind == Kind::Header { self.limit + SLACK } else { self.limit };
        if head.size > kept {
            return if head.kind == Kind::Header {
                self.begin_oversize(head)
            } else {
                Err(too_large(head, self.limit))
            };
        }
        let end = HEAD + head.size;
        let Some(frame) = unchecked.get_mut(..=end) else {
            return Ok(Step::Wait);
        };
        if frame[end] != END {
            return Err(no_end());
        }
        let payload = &mut frame[HEAD..end];
        match head.kind {
            Kind::Method => {
                if let Some(offered) = method::check(head.channel, payload)?.filter(|offered| *offered > 0) {
                    self.limit = self.limit.min(offered as usize);
                }
            }
            Kind::Header => {
                header::check_fixed(payload)?;
                if let Some(mended) = header::mend(payload, &self.guard_report) {
                    if waiting {
                        return Ok(Step::Stop);
                    }
                    self.set_patch(header::frame(head.channel, &mended));
                    self.consume(end + 1);
                    return Ok(Step::Stop);
                }
            }
            Kind::Body | Kind::Heartbeat => {}
        }
        self.released += end + 1;
        Ok(Step::Released)
    }

    fn begin_oversize(&mut self, head: Head) -> Result<Step, Refusal> {
        let Some(payload) = self.buffer[self.released..self.end].get(HEAD..HEAD + header::FIXED) else {
            return Ok(Step::Wait);
        };
        header::check_fixed(payload)?;
        if self.start < self.released {
            return Ok(Step::Stop);
        }
        let patch = header::too_large(head.channel, payload, &self.guard_report);
        self.oversize = Some(Oversize { left: head.size - header::FIXED, patch });
        self.consume(HEAD + header::FIXED);
        self.skip_oversize()
    }

    fn skip_oversize(&mut self) -> Result<Step, Refusal> {
        let Some(oversize) = &mut self.oversize else {
            return Ok(Step::Wait);
        };
        let passed = oversize.left.min(self.end - self.released);
        oversize.left -= passed;
        let done = oversize.left == 0;
        self.consume(passed);
        match self.buffer[self.released..self.end].first() {
            Some(&END) if done => {
                let patch = self.oversize.take().map(|oversize| oversize.patch).unwrap_or_default();
                self.set_patch(patch);
                self.consume(1);
                Ok(Step::Stop)
            }
            Some(_) => Err(no_end()),
            None => Ok(Step::Wait),
        }
    }

    fn set_patch(&mut self, patch: Vec<u8>) {
        self.patch = patch;
        self.patched = 0;
    }

    /// Drops this many unchecked bytes. There must be no checked bytes before them.
    fn consume(&mut self, count: usize) {
        self.released += count;
        self.start = self.released;
    }
}

fn give(from: &[u8], out: &mut [u8]) -> usize {
    let count = from.len().min(out.len());
    out[..count].copy_from_slice(&from[..count]);
    count
}

fn too_large(head: Head, limit: usize) -> Refusal {
    Refusal(format!("the broker sent a frame of {} bytes, more than the agreed {limit}", head.size))
}

fn no_end() -> Refusal {
    Refusal::new("the broker sent a frame that does not end where it says")
}
