//! Reads the files that the options name, and does the handshake.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::error::TlsError;
use super::options::TlsOptions;
use super::stream::{TlsStream, is_pause};

/// Does TLS handshakes with one server, and verifies its certificate.
///
/// The files of the options are read when the connector is made. Make a new one for each connection, and certificates
/// that were renewed are used.
///
/// ```no_run
/// use std::io::{Read, Write};
/// use std::net::TcpStream;
/// use zc_events_net::{TlsConnector, TlsOptions};
///
/// let connector = TlsConnector::new(&TlsOptions::default(), "rabbit.internal")?;
/// let mut stream = connector.connect(TcpStream::connect(("rabbit.internal", 5671))?)?;
/// stream.write_all(b"AMQP\0\0\x09\x01")?;
/// stream.read_exact(&mut [0; 8])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TlsConnector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl TlsConnector {
    /// A connector for the server at `host`: a name, or an IP address without brackets. Blocks while it reads files.
    ///
    /// # Errors
    /// [`TlsError`] if a file cannot be used, or if no certificate can be issued for `host`.
    pub fn new(options: &TlsOptions, host: &str) -> Result<Self, TlsError> {
        let name = options.server_name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name.clone()).map_err(|_| TlsError::InvalidServerName { name })?;
        let roots = match &options.ca_file {
            Some(path) => named_roots(path)?,
            None => system_roots()?,
        };
        // Named here, since a process may have several providers.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let config = match (&options.cert_file, &options.key_file) {
            (None, None) => config.with_no_client_auth(),
            (Some(certificates), Some(key)) => {
                config.with_client_auth_cert(read_certificates(certificates)?, read_key(key)?)?
            }
            _ => return Err(TlsError::Incomplete),
        };
        Ok(Self { config: Arc::new(config), name })
    }

    /// Does the handshake on a new connection. Blocks as long as the socket blocks. A caller with a deadline shuts the
    /// socket down at that moment, or uses [`TlsConnector::connect_in_steps`].
    ///
    /// # Errors
    /// Those of the socket and of the handshake. [`explain`](crate::explain) says what a failed handshake means.
    pub fn connect<S: Read + Write>(&self, socket: S) -> io::Result<TlsStream<S>> {
        let mut stream = self.begin(socket)?;
        while stream.is_handshaking() {
            stream.step()?;
        }
        Ok(stream)
    }

    /// Does the handshake on a socket with timeouts. `before` is called before each use of the socket, to set its
    /// timeouts. A timeout of the socket does not end the handshake; an error of `before` does.
    ///
    /// # Errors
    /// As for [`TlsConnector::connect`], and those of `before`.
    pub fn connect_in_steps<S: Read + Write>(
        &self,
        socket: S,
        mut before: impl FnMut(&S) -> io::Result<()>,
    ) -> io::Result<TlsStream<S>> {
        let mut stream = self.begin(socket)?;
        while stream.is_handshaking() {
            before(stream.socket())?;
            match stream.step() {
                Err(error) if !is_pause(&error) => return Err(error),
                _ => {}
            }
        }
        Ok(stream)
    }

    fn begin<S: Read + Write>(&self, socket: S) -> io::Result<TlsStream<S>> {
        let session = ClientConnection::new(Arc::clone(&self.config), self.name.clone()).map_err(io::Error::other)?;
        Ok(TlsStream::new(session, socket))
    }
}

fn named_roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// The root certificates that the system trusts, read once for the process.
fn system_roots() -> Result<RootCertStore, TlsError> {
    static ROOTS: OnceLock<Result<RootCertStore, String>> = OnceLock::new();
    let look_up = || {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let why =
                found.errors.first().map_or_else(|| "its certificate store is empty".to_owned(), ToString::to_string);
            return Err(why);
        }
        Ok(roots)
    };
    ROOTS.get_or_init(look_up).clone().map_err(|why| TlsError::NoRoots { why })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let empty = || TlsError::Empty { what: "certificate", path: path.to_owned() };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    certificates.ok().filter(|all| !all.is_empty()).ok_or_else(empty)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let empty = |_| TlsError::Empty { what: "private key", path: path.to_owned() };
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(empty)
}
