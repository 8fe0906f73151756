//! From a TCP connection to the socket that amiquip gets, with a handshake where the URL asks for TLS. What goes over it is read
//! and completed above, in `guard` and `login`.

use std::io;

use mio::net::TcpStream;
use zc_events_tls::Wire;
#[cfg(feature = "tls")]
use zc_events_tls::{Connector, TlsError};

use super::url::Node;

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

/// Blocks for the handshake; who has a deadline cuts the connection then.
pub(super) fn open(node: &Node, stream: std::net::TcpStream) -> Result<Wire<TcpStream>, NoWire> {
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

/// What TLS had against it, where that is why amiquip's connection ended.
#[cfg(feature = "tls")]
pub(super) fn explain(error: &amiquip::Error) -> Option<String> {
    let chain = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source());
    chain.filter_map(|error| error.downcast_ref::<io::Error>()).find_map(zc_events_tls::explain)
}
