//! A connection's socket: bare, or with TLS over it.

use std::io::{self, Read, Write};

#[cfg(feature = "rustls")]
use crate::TlsStream;

/// A connection's socket: bare, or with TLS over it. Without the feature `rustls` it is always bare.
#[derive(Debug)]
#[non_exhaustive]
pub enum Wire<S> {
    /// The socket itself.
    Plain(S),
    /// TLS over it.
    #[cfg(feature = "rustls")]
    Tls(Box<TlsStream<S>>),
}

impl<S> Wire<S> {
    /// The socket: for its timeouts and its registration, not for bytes.
    pub fn socket(&self) -> &S {
        match self {
            Wire::Plain(socket) => socket,
            #[cfg(feature = "rustls")]
            Wire::Tls(stream) => stream.socket(),
        }
    }

    /// What was agreed on, such as `TLS 1.3`.
    #[must_use]
    pub fn version(&self) -> Option<&'static str> {
        match self {
            Wire::Plain(_) => None,
            #[cfg(feature = "rustls")]
            Wire::Tls(stream) => Some(stream.version()),
        }
    }
}

impl<S: Read + Write> Read for Wire<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(socket) => socket.read(buffer),
            #[cfg(feature = "rustls")]
            Wire::Tls(stream) => stream.read(buffer),
        }
    }
}

impl<S: Read + Write> Write for Wire<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(socket) => socket.write(bytes),
            #[cfg(feature = "rustls")]
            Wire::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Plain(socket) => socket.flush(),
            #[cfg(feature = "rustls")]
            Wire::Tls(stream) => stream.flush(),
        }
    }
}
