//! A connection's socket, with or without TLS.

use std::io::{self, Read, Write};

#[cfg(feature = "rustls")]
use crate::tls::TlsStream;

/// A connection's socket, with or without TLS. Without the feature `rustls` it is always plain.
#[derive(Debug)]
#[non_exhaustive]
pub enum Socket<S> {
    /// The socket itself, without TLS.
    Plain(S),
    /// TLS over the socket.
    #[cfg(feature = "rustls")]
    Tls(Box<TlsStream<S>>),
}

impl<S> Socket<S> {
    /// The TCP socket, for its timeouts and its registration. Do not read from it or write to it.
    pub fn socket(&self) -> &S {
        match self {
            Socket::Plain(socket) => socket,
            #[cfg(feature = "rustls")]
            Socket::Tls(stream) => stream.socket(),
        }
    }

    /// The version that the handshake agreed on, such as `TLS 1.3`.
    #[must_use]
    pub fn version(&self) -> Option<&'static str> {
        match self {
            Socket::Plain(_) => None,
            #[cfg(feature = "rustls")]
            Socket::Tls(stream) => Some(stream.version()),
        }
    }
}

impl<S: Read + Write> Read for Socket<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(socket) => socket.read(buffer),
            #[cfg(feature = "rustls")]
            Socket::Tls(stream) => stream.read(buffer),
        }
    }
}

impl<S: Read + Write> Write for Socket<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(socket) => socket.write(bytes),
            #[cfg(feature = "rustls")]
            Socket::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Socket::Plain(socket) => socket.flush(),
            #[cfg(feature = "rustls")]
            Socket::Tls(stream) => stream.flush(),
        }
    }
}
