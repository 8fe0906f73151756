#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod dial;
mod probe;
mod resolve;
mod socket;
mod tls;

pub use dial::{DialError, dial};
pub use probe::{ConnectFailure, ConnectStep, ConnectTrace, Probe};
pub use resolve::{ResolveError, resolve};
pub use socket::Socket;
pub use tls::TlsOptions;
#[cfg(feature = "rustls")]
pub use tls::{TlsConnector, TlsError, TlsStream, explain};
