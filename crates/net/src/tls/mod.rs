//! TLS: which certificates to trust and to present, the handshake, and the stream after it.

#[cfg(feature = "rustls")]
mod connector;
#[cfg(feature = "rustls")]
mod error;
mod options;
#[cfg(feature = "rustls")]
mod stream;

#[cfg(feature = "rustls")]
pub use connector::TlsConnector;
#[cfg(feature = "rustls")]
pub use error::{TlsError, explain};
pub use options::TlsOptions;
#[cfg(feature = "rustls")]
pub use stream::TlsStream;
