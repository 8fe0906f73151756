//! The socket beneath amiquip: TCP, or TLS over it. What goes over it is read and completed above, in `guard` and `login`.

use std::io::{self, Read, Write};

use mio::event::Evented;
use mio::net::TcpStream;
use mio::{Poll, PollOpt, Ready, Token};
#[cfg(feature = "tls")]
use zc_events_tls::{Connector, TlsError, TlsStream};

use super::url::Node;

/// The socket of a connection that is just open.
pub(super) enum Wire {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<TcpStream>>),
}

/// Why there is none.
pub(super) enum NoWire {
    /// The system's.
    Socket(io::Error),
    /// It is wrong on this side: files, and names.
    #[cfg(feature = "tls")]
    Here(TlsError),
    /// The handshake failed.
    #[cfg(feature = "tls")]
    Handshake(io::Error),
}

impl Wire {
    /// Makes one of a TCP connection, with a handshake where the node's URL asks for TLS. Blocks for that; who has a
    /// deadline cuts the connection then.
    pub(super) fn open(node: &Node, stream: std::net::TcpStream) -> Result<Self, NoWire> {
        #[cfg(feature = "tls")]
        if node.tls {
            let connector = Connector::new(&node.trust, &node.host).map_err(NoWire::Here)?;
            let stream = connector.connect(stream).map_err(NoWire::Handshake)?;
            let stream = stream.try_map(TcpStream::from_stream).map_err(NoWire::Socket)?;
            return Ok(Wire::Tls(Box::new(stream)));
        }
        #[cfg(not(feature = "tls"))]
        let _ = node;
        TcpStream::from_stream(stream).map(Wire::Plain).map_err(NoWire::Socket)
    }

    /// Which TLS it is.
    pub(super) fn tls(&self) -> Option<&'static str> {
        match self {
            Wire::Plain(_) => None,
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => Some(stream.version()),
        }
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Wire::Plain(socket) => socket,
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.socket(),
        }
    }
}

/// What TLS had against it, where that is why amiquip's connection ended.
#[cfg(feature = "tls")]
pub(super) fn explain(error: &amiquip::Error) -> Option<String> {
    let chain = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source());
    chain.filter_map(|error| error.downcast_ref::<io::Error>()).find_map(zc_events_tls::explain)
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

impl Evented for Wire {
    fn register(&self, poll: &Poll, token: Token, interest: Ready, options: PollOpt) -> io::Result<()> {
        self.socket().register(poll, token, interest, options)
    }

    fn reregister(&self, poll: &Poll, token: Token, interest: Ready, options: PollOpt) -> io::Result<()> {
        self.socket().reregister(poll, token, interest, options)
    }

    fn deregister(&self, poll: &Poll) -> io::Result<()> {
        self.socket().deregister(poll)
    }
}
