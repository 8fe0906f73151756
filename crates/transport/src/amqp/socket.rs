//! From a TCP connection to the socket that amiquip gets, with a TLS handshake if the URL asks for TLS. `guard` and
//! `login` change what is read and written over it.

use std::io;

use mio::net::TcpStream;
use zc_events_net::Socket;
#[cfg(feature = "tls")]
use zc_events_net::{TlsConnector, TlsError};

use super::node::Node;

/// Why the socket could not be made ready.
pub(super) enum SocketError {
    /// An error of the system.
    Io(io::Error),
    /// A file or an option of ours cannot be used for TLS.
    #[cfg(feature = "tls")]
    TlsConfig(TlsError),
    /// The TLS handshake failed.
    #[cfg(feature = "tls")]
    Handshake(io::Error),
}

/// Blocks for the TLS handshake. A caller with a deadline cuts the connection at that moment.
pub(super) fn open(node: &Node, stream: std::net::TcpStream) -> Result<Socket<TcpStream>, SocketError> {
    #[cfg(feature = "tls")]
    if node.tls {
        let connector = TlsConnector::new(&node.tls_options, &node.host).map_err(SocketError::TlsConfig)?;
        let stream = connector.connect(stream).map_err(SocketError::Handshake)?;
        let stream = stream.try_map(TcpStream::from_stream).map_err(SocketError::Io)?;
        return Ok(Socket::Tls(Box::new(stream)));
    }
    #[cfg(not(feature = "tls"))]
    let _ = node;
    TcpStream::from_stream(stream).map(Socket::Plain).map_err(SocketError::Io)
}

/// The reason in terms of TLS, if TLS is why amiquip's connection ended.
#[cfg(feature = "tls")]
pub(super) fn explain(error: &amiquip::Error) -> Option<String> {
    let chain = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source());
    chain.filter_map(|error| error.downcast_ref::<io::Error>()).find_map(zc_events_net::explain)
}
