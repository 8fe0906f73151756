//! Reads and writes through TLS, on a socket that blocks, has timeouts, or does not block. After `WouldBlock` no byte
//! is lost: the same call continues where it stopped.

use std::io::{self, Read, Write};

use rustls::{ClientConnection, ProtocolVersion};

/// The most bytes that one write takes: one TLS record.
const RECORD: usize = 16 * 1024;

/// A connection after its handshake. Reads and writes return the socket's errors. After
/// [`WouldBlock`](io::ErrorKind::WouldBlock) and [`TimedOut`](io::ErrorKind::TimedOut) the next call continues where
/// the last one stopped.
///
/// As with other implementations of TLS, repeat a write that would block with the same bytes, or with the same bytes
/// and more after them: they are encrypted already.
#[derive(Debug)]
pub struct TlsStream<S> {
    session: ClientConnection,
    socket: S,
    /// How many bytes of the next write are encrypted already and not yet reported as written.
    owed: usize,
}

impl<S> TlsStream<S> {
    pub(super) fn new(session: ClientConnection, socket: S) -> Self {
        Self { session, socket, owed: 0 }
    }

    /// The socket, for its timeouts and its registration. Do not read from it or write to it.
    pub fn socket(&self) -> &S {
        &self.socket
    }

    /// The same session on another form of the same socket.
    ///
    /// # Errors
    /// Those of `change`. The connection is lost then.
    pub fn try_map<T, E>(self, change: impl FnOnce(S) -> Result<T, E>) -> Result<TlsStream<T>, E> {
        Ok(TlsStream { session: self.session, socket: change(self.socket)?, owed: self.owed })
    }

    /// The version that the handshake agreed on, such as `TLS 1.3`.
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
    pub(super) fn is_handshaking(&self) -> bool {
        // The last message of the handshake may not be sent yet.
        self.session.is_handshaking() || self.session.wants_write()
    }

    /// Continues the handshake with one use of the socket.
    pub(super) fn step(&mut self) -> io::Result<()> {
        if self.session.wants_write() {
            return self.send();
        }
        if self.take()? { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Writes what is encrypted to the socket.
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

    /// Reads from the socket once. `false` at its end.
    fn take(&mut self) -> io::Result<bool> {
        let taken = self.session.read_tls(&mut self.socket)?;
        let processed = self.session.process_new_packets();
        // An alert, or an answer of TLS itself. What cannot be sent now is sent with the next write.
        if self.session.wants_write()
            && let Err(error) = self.send()
            && !is_pause(&error)
        {
            return Err(error);
        }
        processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(taken > 0)
    }

    /// Whether no unread bytes are left and the server has not closed the connection. The socket must be non-blocking.
    /// Messages of TLS itself, such as session tickets, are read and ignored.
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
                    let is_empty = state.is_ok_and(|it| it.plaintext_bytes_to_read() == 0 && !it.peer_has_closed());
                    return is_pause(&error) && is_empty;
                }
            }
        }
    }
}

pub(super) fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

impl<S: Read + Write> Read for TlsStream<S> {
    /// The end of the connection is the end of the stream, with or without `close_notify`: the protocols above notice
    /// by themselves whether something is missing.
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
        // Bytes count as written only when they are sent: the caller does not call again for bytes that were written.
        self.send()?;
        Ok(std::mem::take(&mut self.owed))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()?;
        self.socket.flush()
    }
}
