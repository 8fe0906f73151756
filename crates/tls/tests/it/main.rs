//! The integration tests of this crate, beside servers that each test starts on a free port: one program.

#[cfg(feature = "rustls")]
mod handshake;
