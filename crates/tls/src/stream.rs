//! Bytes through TLS, on a socket that blocks, has timeouts, or would block. Nothing is lost where it would: the same call
//! again goes on where it was.

use std::io::{self, Read, Write};

use rustls::{ClientConnection, ProtocolVersion};

/// The most that one write takes: a record.
const RECORD: usize = 16 * 1024;

/// A connection after its handshake. Reading and writing end with the socket's errors; after
/// [`WouldBlock`](io::ErrorKind::WouldBlock) and [`TimedOut`](io::ErrorKind::TimedOut) they go on where they were.
///
/// As with other implementations of TLS, a write that would block is to be repeated with the same bytes, or with more behind
/// them: they are encrypted already.
#[derive(Debug)]
pub struct TlsStream<S> {
    session: ClientConnection,
    socket: S,
    /// How many bytes of the next write are encrypted already, and on their way.
    owed: usize,
}

impl<S> TlsStream<S> {
    pub(crate) fn new(session: ClientConnection, socket: S) -> Self {
        Self { session, socket, owed: 0 }
    }

    /// The socket: for its timeouts and its registration, not for bytes.
    pub fn socket(&self) -> &S {
        &self.socket
    }

    /// The same session on another form of the same socket.
    ///
    /// # Errors
    /// Those of `change`; the connection is lost then.
    pub fn try_map<T, E>(self, change: impl FnOnce(S) -> Result<T, E>) -> Result<TlsStream<T>, E> {
        Ok(TlsStream { session: self.session, socket: change(self.socket)?, owed: self.owed })
    }

    /// What was agreed on: `TLS 1.3`.
    #[must_use]
    pub fn version(&self) -> &'static str {
        match self.session.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS",
        }
    }
}

impl<S: Read + Write> TlsStream<S> {
    pub(crate) fn is_handshaking(&self) -> bool {
        // The last word may still be on its way out.
        self.session.is_handshaking() || self.session.wants_write()
    }

    /// One use of the socket towards the end of the handshake.
    pub(crate) fn step(&mut self) -> io::Result<()> {
        if self.session.wants_write() {
            return self.send();
        }
        if self.take()? { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Hands the socket what is encrypted.
    fn send(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.socket) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes from the socket what one read of it gives. `false` at its end.
    fn take(&mut self) -> io::Result<bool> {
        let taken = self.session.read_tls(&mut self.socket)?;
        let processed = self.session.process_new_packets();
        // An alert, or an answer of the protocol's own. What does not go out now goes with the next write.
        if self.session.wants_write()
            && let Err(error) = self.send()
            && !is_pause(&error)
        {
            return Err(error);
        }
        processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(taken > 0)
    }

    /// Whether nothing lies in it that nobody has read, and the other side has not closed it. The socket must not block;
    /// what TLS itself has to say is taken out and means nothing.
    pub fn is_silent(&mut self) -> bool {
        loop {
            match self.take() {
                Ok(true) => match self.session.process_new_packets() {
                    Ok(state) if state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed() => {}
                    _ => return false,
                },
                Ok(false) => return false,
                Err(error) => {
                    let state = self.session.process_new_packets();
                    let nothing = state.is_ok_and(|it| it.plaintext_bytes_to_read() == 0 && !it.peer_has_closed());
                    return is_pause(&error) && nothing;
                }
            }
        }
    }
}

pub(crate) fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

impl<S: Read + Write> Read for TlsStream<S> {
    /// The end of the connection is the end of what can be read, whether TLS was told of it or not: AMQP and Redis know by
    /// themselves whether something is missing.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                done => return done,
            }
            if !self.take()? {
                return match self.session.reader().read(buffer) {
                    Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::WouldBlock) => {
                        Ok(0)
                    }
                    done => done,
                };
            }
        }
    }
}

impl<S: Read + Write> Write for TlsStream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.owed == 0 {
            self.send()?;
            self.owed = self.session.writer().write(&bytes[..bytes.len().min(RECORD)])?;
        }
        // Not before it is out: whoever hears of bytes that were written does not call again for them.
        self.send()?;
        Ok(std::mem::take(&mut self.owed))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()?;
        self.socket.flush()
    }
}
