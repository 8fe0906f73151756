//! From bytes as they come to checked frames, in one buffer of a fixed size. It knows no
//! socket: how the bytes are sliced on their way makes no difference.

use std::sync::Arc;

use super::FRAME_MAX;
use super::frame::{END, HEAD, Head, Kind, Refusal};
use super::seal::Watch;
use super::{header, method};

/// How much larger than a frame a content header may be. A broker does not split it, and
/// adds entries of its own when it dead-letters a message.
const SLACK: usize = 16 * 1024;
/// Room to read into, behind the largest frame that is kept.
const ROOM: usize = 64 * 1024;

pub(super) struct Filter {
    buffer: Box<[u8]>,
    /// From here to `released`: checked.
    start: usize,
    /// From here to `end`: not yet.
    released: usize,
    end: usize,
    /// Stands in for a frame that ended at `released`.
    patch: Vec<u8>,
    patched: usize,
    oversize: Option<Oversize>,
    refusal: Option<Refusal>,
    /// The largest payload that was agreed on.
    limit: usize,
    watch: Arc<Watch>,
}

/// A content header that is passed over instead of being kept.
struct Oversize {
    /// So many bytes of its payload are still to come.
    left: usize,
    patch: Vec<u8>,
}

/// What became of the next frame.
enum Step {
    /// It is not all there.
    Wait,
    Released,
    /// Something is ready that is not in the buffer, or first the rest of the buffer must be taken.
    Stop,
}

impl Filter {
    pub(super) fn new(watch: Arc<Watch>) -> Self {
        let limit = FRAME_MAX as usize;
        let buffer = vec![0; HEAD + limit + SLACK + 1 + ROOM].into_boxed_slice();
        let (patch, patched) = (Vec::new(), 0);
        Self { buffer, start: 0, released: 0, end: 0, patch, patched, oversize: None, refusal: None, limit, watch }
    }

    /// Copies checked bytes to `out`: `None` when more must be read first, an error when
    /// there is nothing more to come.
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

    /// Where to read to. Never empty after `take` has given `None`.
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

    /// So many bytes were read there.
    pub(super) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// Checks what has come in. Whether there is anything to take now.
    fn advance(&mut self) -> bool {
        loop {
            match self.step() {
                Ok(Step::Released) => {}
                Ok(Step::Wait) => return self.start < self.released,
                Ok(Step::Stop) => return true,
                Err(refusal) => {
                    self.watch.refuse(&refusal.0);
                    self.refusal = Some(refusal);
                    return true;
                }
            }
        }
    }

    fn step(&mut self) -> Result<Step, Refusal> {
        if self.oversize.is_some() {
            return self.pass_over();
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
                if let Some(mended) = header::mend(payload, &self.watch) {
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
        let patch = header::too_large(head.channel, payload, &self.watch);
        self.oversize = Some(Oversize { left: head.size - header::FIXED, patch });
        self.consume(HEAD + header::FIXED);
        self.pass_over()
    }

    fn pass_over(&mut self) -> Result<Step, Refusal> {
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

    /// Drops so many unchecked bytes, where nothing checked stands before them.
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
