//! What can be wrong before and during a handshake.

use std::io;
use std::path::PathBuf;

use rustls::{AlertDescription, CertificateError, Error};

/// Why no handshake can begin. The cause is on this side: a file, or an option.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file does not contain what it should.
    #[error("there is no {what} (PEM) in {}", path.display())]
    Empty {
        /// What it should contain.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A client certificate is set without its private key, or a key without its certificate.
    #[error("a client certificate and its private key belong together: set both, or neither")]
    Incomplete,
    /// The system has no trusted root certificates.
    #[error("no trusted root certificates were found on this system ({why}); set a file with CA certificates")]
    NoRoots {
        /// What the search for them reported.
        why: String,
    },
    /// No certificate can be issued for this name.
    #[error("`{name}` is not a valid server name for TLS")]
    InvalidServerName {
        /// The name.
        name: String,
    },
    /// Any other error of rustls.
    #[error("{0}")]
    Rustls(#[from] Error),
}

/// Says what a failed handshake means, if the failure is one of TLS and not of the network.
#[must_use]
pub fn explain(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidCertificate(why) => match why {
            CertificateError::UnknownIssuer => "the server's certificate is signed by an unknown issuer".to_owned(),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server's certificate has expired".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet (is this machine's clock right?)".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the server's certificate is for another name".to_owned()
            }
            other => format!("the server's certificate is not trusted: {other}"),
        },
        Error::InvalidMessage(_) => "the server does not speak TLS on this port".to_owned(),
        Error::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure) => {
            format!("the server refused the handshake ({error}): does it require a client certificate?")
        }
        other => other.to_string(),
    })
}
