//! Tests of `zc-events-net` against servers in this process.

#[cfg(feature = "rustls")]
mod tls_handshake;
