#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

#[cfg(feature = "rustls")]
mod connector;
#[cfg(feature = "rustls")]
mod error;
mod options;
#[cfg(feature = "rustls")]
mod stream;
mod wire;

#[cfg(feature = "rustls")]
pub use connector::Connector;
#[cfg(feature = "rustls")]
pub use error::{TlsError, explain};
pub use options::TlsOptions;
#[cfg(feature = "rustls")]
pub use stream::TlsStream;
pub use wire::Wire;
