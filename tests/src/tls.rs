//! TLS in front of a plain server, with certificates of an authority that only a test trusts.

use std::io::{Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};
use tempfile::TempDir;

/// A certificate authority that no system trusts.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    /// Creates an authority with a new key.
    ///
    /// # Panics
    /// If no temporary folder can be made.
    #[must_use]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, crate::unique("authority"));
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        std::fs::write(folder.path().join("ca.pem"), pem).expect("a file");
        Self { issuer: Issuer::new(params, key), folder }
    }

    /// Its certificate, in PEM.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The TLS settings of a server with a certificate for `name`.
    ///
    /// # Panics
    /// If `name` is not a valid host name.
    #[must_use]
    pub fn config(&self, name: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_no_client_auth();
        Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).expect("a certificate with its key"))
    }
}

/// Puts TLS in front of a server, for as long as the process lives. The address to connect to.
///
/// # Errors
/// The system gives no port.
pub fn in_front_of(server: SocketAddr, config: Arc<ServerConfig>) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (Ok(session), Ok(server)) = (ServerConnection::new(Arc::clone(&config)), TcpStream::connect(server))
            else {
                continue;
            };
            let there = Arc::new(Between { session: Mutex::new(session), client, server });
            let back = Arc::clone(&there);
            thread::spawn(move || there.pass_up().unwrap_or_else(|_| there.end()));
            thread::spawn(move || back.pass_down().unwrap_or_else(|_| back.end()));
        }
    });
    Ok(address)
}

/// One connection.
struct Between {
    session: Mutex<ServerConnection>,
    client: TcpStream,
    server: TcpStream,
}

impl Between {
    /// From the client, opened, to the server.
    fn pass_up(&self) -> Result<()> {
        self.client.set_nodelay(true)?;
        self.server.set_nodelay(true)?;
        let mut sealed = vec![0; 64 * 1024];
        loop {
            let count = (&self.client).read(&mut sealed)?;
            let mut left = &sealed[..count];
            loop {
                let opened = self.open(&mut left)?;
                (&self.server).write_all(&opened)?;
                if left.is_empty() {
                    break;
                }
            }
            if count == 0 {
                self.end();
                return Ok(());
            }
        }
    }

    fn open(&self, sealed: &mut &[u8]) -> Result<Vec<u8>> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.read_tls(sealed)?;
        let state = session.process_new_packets().map_err(std::io::Error::other);
        // Answers of the handshake, and what it has against it.
        self.send(&mut session)?;
        let mut opened = vec![0; state?.plaintext_bytes_to_read()];
        session.reader().read_exact(&mut opened)?;
        Ok(opened)
    }

    /// From the server, sealed, to the client.
    fn pass_down(&self) -> Result<()> {
        let mut open = vec![0; 16 * 1024];
        loop {
            let count = (&self.server).read(&mut open)?;
            if count == 0 {
                self.end();
                return Ok(());
            }
            let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            session.writer().write_all(&open[..count])?;
            self.send(&mut session)?;
        }
    }

    fn send(&self, session: &mut ServerConnection) -> Result<()> {
        while session.wants_write() {
            session.write_tls(&mut &self.client)?;
        }
        Ok(())
    }

    fn end(&self) {
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}
