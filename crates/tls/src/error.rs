//! What can be wrong before and in a handshake, in words that say what to do.

use std::io;
use std::path::PathBuf;

use rustls::{AlertDescription, CertificateError, Error};

/// Why no handshake can begin: it is wrong on this side.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file without what was to be in it.
    #[error("there is no {what} (PEM) in {}", path.display())]
    Empty {
        /// What was looked for.
        what: &'static str,
        /// Where.
        path: PathBuf,
    },
    /// A certificate without its key, or the other way round.
    #[error("a certificate to show needs its private key, and the key its certificate: name both")]
    Half,
    /// Nobody is believed.
    #[error("this system names nobody whom to believe ({why}): name a file with certificates")]
    NoRoots {
        /// What looking for them said.
        why: String,
    },
    /// A host that no certificate can be for.
    #[error("`{name}` is no name that a certificate can be for")]
    Name {
        /// The name.
        name: String,
    },
    /// Whatever else rustls has against it.
    #[error("{0}")]
    Refused(#[from] Error),
}

/// What a failed handshake means, where it failed for a reason of TLS and not of the network.
#[must_use]
pub fn explain(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidCertificate(why) => match why {
            CertificateError::UnknownIssuer => {
                "nobody who is believed vouches for its certificate: name the certificate of who does".to_owned()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet (is this machine's clock right?)".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name".to_owned()
            }
            other => format!("its certificate is not believed: {other}"),
        },
        Error::InvalidMessage(_) => "what answers there does not speak TLS".to_owned(),
        Error::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure) => {
            format!("it refused ({error}): does it want a certificate?")
        }
        other => other.to_string(),
    })
}
