//! The stream that amiquip reads from and writes to.

use std::io::{self, Read, Write};
use std::sync::Arc;

use amiquip::IoStream;
use mio::event::Evented;
use mio::{Poll, PollOpt, Ready, Token};

use super::defect_header::GuardReport;
use super::filter::Filter;

/// A stream that checks inbound bytes and passes outbound ones. TLS belongs beneath it.
pub(crate) struct GuardedStream<S> {
    inner: S,
    filter: Filter,
}

impl<S> GuardedStream<S> {
    pub(crate) fn new(inner: S, guard_report: Arc<GuardReport>) -> Self {
        Self { inner, filter: Filter::new(guard_report) }
    }
}

impl<S: Read> Read for GuardedStream<S> {
    /// Returns `WouldBlock` only if the socket does and no checked bytes are left: amiquip is notified of new bytes
    /// once, and reads until `WouldBlock`.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(given) = self.filter.take(out) {
                return given.map_err(|refusal| io::Error::new(io::ErrorKind::InvalidData, refusal));
            }
            match self.inner.read(self.filter.space()) {
                Ok(0) => return Ok(0),
                Ok(count) => self.filter.filled(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl<S: Write> Write for GuardedStream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<S: Evented> Evented for GuardedStream<S> {
    fn register(&self, poll: &Poll, token: Token, interest: Ready, options: PollOpt) -> io::Result<()> {
        self.inner.register(poll, token, interest, options)
    }

    fn reregister(&self, poll: &Poll, token: Token, interest: Ready, options: PollOpt) -> io::Result<()> {
        self.inner.reregister(poll, token, interest, options)
    }

    fn deregister(&self, poll: &Poll) -> io::Result<()> {
        self.inner.deregister(poll)
    }
}

impl<S: Read + Write + Evented + Send + 'static> IoStream for GuardedStream<S> {}
