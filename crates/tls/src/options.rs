//! Whom to believe, and what to show of oneself. Files are read in `connector`.

use std::path::PathBuf;

/// Whom to believe, and what to show of oneself.
///
/// ```
/// use zc_events_tls::TlsOptions;
///
/// let options = TlsOptions { ca_file: Some("/etc/fleet/ca.pem".into()), ..TlsOptions::default() };
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Certificates (PEM) of those who may vouch for the server, in place of those that the system believes.
    pub ca_file: Option<PathBuf>,
    /// A certificate (PEM), and those above it, to show where the server asks for one. With a key.
    pub cert_file: Option<PathBuf>,
    /// The private key (PEM) to that certificate.
    pub key_file: Option<PathBuf>,
    /// Under which name the server has to show a certificate, where that is not the host's.
    pub server_name: Option<String>,
}
