//! Which certificates to trust and to present. `connector` reads the files.

use std::path::PathBuf;

/// Which certificates to trust and to present.
///
/// ```
/// use zc_events_net::TlsOptions;
///
/// let options = TlsOptions { ca_file: Some("/etc/fleet/ca.pem".into()), ..TlsOptions::default() };
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// CA certificates (PEM) that the server's certificate must be signed by. They replace those that the system
    /// trusts.
    pub ca_file: Option<PathBuf>,
    /// The client certificate (PEM) and its intermediates, presented if the server asks for one. Needs `key_file`.
    pub cert_file: Option<PathBuf>,
    /// The private key (PEM) of the client certificate.
    pub key_file: Option<PathBuf>,
    /// The name that the server's certificate must be for, if it is not the host's.
    pub server_name: Option<String>,
}
