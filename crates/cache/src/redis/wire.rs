//! The socket of a connection: TCP, or TLS over it. Deadlines and what goes over it are the business of `link`.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

#[cfg(feature = "tls")]
use zc_events_tls::TlsStream;

/// A socket that blocks, with timeouts.
pub(super) enum Wire {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// How long the next read or write may take.
    pub(super) fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        let socket = self.socket();
        socket.set_read_timeout(Some(timeout))?;
        socket.set_write_timeout(Some(timeout))
    }

    /// Whether nothing lies in it that nobody has read, and the other side has not closed it.
    pub(super) fn is_silent(&mut self) -> bool {
        if self.socket().set_nonblocking(true).is_err() {
            return false;
        }
        let is_silent = match self {
            Wire::Plain(socket) => {
                matches!(socket.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.is_silent(),
        };
        self.socket().set_nonblocking(false).is_ok() && is_silent
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Wire::Plain(socket) => socket,
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.socket(),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(socket) => socket.read(buffer),
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(socket) => socket.write(bytes),
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Plain(socket) => socket.flush(),
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.flush(),
        }
    }
}
