//! TLS handshakes and bytes, against a server in this process.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use tempfile::TempDir;
use zc_events_net::{TlsConnector, TlsError, TlsOptions, TlsStream, explain};

/// A certificate authority, and a folder for the files.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        Self::named("an authority")
    }

    fn named(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn trusted(&self) -> TlsOptions {
        TlsOptions { ca_file: Some(self.file("ca.pem")), ..TlsOptions::default() }
    }

    fn certify(&self, change: impl FnOnce(&mut CertificateParams), name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    fn config(
        &self,
        (certificate, key): (rcgen::Certificate, KeyPair),
        versions: &[&'static SupportedProtocolVersion],
        asks: bool,
    ) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions).unwrap();
        let config = if asks {
            let mut roots = RootCertStore::empty();
            let ca = std::fs::read(self.file("ca.pem")).unwrap();
            let ca: Vec<_> = rustls::pki_types::pem::PemObject::pem_slice_iter(&ca).map(Result::unwrap).collect();
            roots.add_parsable_certificates(ca);
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            config.with_client_cert_verifier(verifier)
        } else {
            config.with_no_client_auth()
        };
        Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }

    fn plain(&self, name: &str) -> Arc<ServerConfig> {
        self.config(self.certify(|_| {}, name), rustls::ALL_VERSIONS, false)
    }
}

/// Starts a server that sends back what it receives, until the end. Returns its port.
fn echo(config: Arc<ServerConfig>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), client);
            thread::spawn(move || {
                let mut buffer = vec![0; 100_000];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..count]).is_err() {
                        return;
                    }
                }
                stream.conn.send_close_notify();
                let _ = stream.conn.complete_io(&mut stream.sock);
                let _ = stream.sock.shutdown(Shutdown::Both);
            });
        }
    });
    port
}

fn socket(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).unwrap()
}

/// The reason why a handshake with `localhost` at that port fails.
fn reason(options: &TlsOptions, port: u16) -> String {
    let error = TlsConnector::new(options, "localhost").unwrap().connect(socket(port)).unwrap_err();
    explain(&error).unwrap_or_else(|| error.to_string())
}

#[test]
fn bytes_pass_in_both_versions_and_by_ip_address() {
    let authority = Authority::new();
    for (version, name) in [(&rustls::version::TLS13, "TLS 1.3"), (&rustls::version::TLS12, "TLS 1.2")] {
        let port = echo(authority.config(authority.certify(|_| {}, "127.0.0.1"), &[version], false));
        let connector = TlsConnector::new(&authority.trusted(), "127.0.0.1").unwrap();
        let mut stream = connector.connect(socket(port)).unwrap();
        assert_eq!(stream.version(), name);
        for size in [0, 1, 1000, 100_000] {
            let sent: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            stream.write_all(&sent).unwrap();
            let mut got = vec![0; size];
            stream.read_exact(&mut got).unwrap();
            assert!(got == sent, "{name}, {size}");
        }
        stream.socket().shutdown(Shutdown::Write).unwrap();
        assert_eq!(stream.read(&mut [0; 10]).unwrap(), 0);
    }
}

#[test]
fn an_untrusted_server_is_reported_with_the_reason() {
    let (authority, stranger) = (Authority::new(), Authority::named("a stranger"));
    let trusted = authority.trusted();
    assert!(reason(&trusted, echo(stranger.plain("localhost"))).contains("signed by an unknown issuer"));
    assert!(reason(&trusted, echo(authority.plain("other.test"))).contains("for another name"));
    let other = TlsOptions { server_name: Some("other.test".into()), ..authority.trusted() };
    let port = echo(authority.plain("other.test"));
    TlsConnector::new(&other, "localhost").unwrap().connect(socket(port)).unwrap();
    let expired = authority.certify(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1), "localhost");
    let port = echo(authority.config(expired, rustls::ALL_VERSIONS, false));
    assert!(reason(&trusted, port).contains("has expired"));
    // A server that speaks another protocol, and one that hangs up.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for (number, client) in listener.incoming().flatten().enumerate() {
            if number == 0 {
                let _ = (&client).write_all(b"AMQP\0\0\x09\x01 and more");
                // Read to the end: closing with unread bytes would be a reset.
                let _ = io::copy(&mut &client, &mut io::sink());
            }
        }
    });
    assert!(reason(&trusted, port).contains("does not speak TLS"));
    let ended = TlsConnector::new(&trusted, "localhost").unwrap().connect(socket(port)).unwrap_err();
    assert!(matches!(ended.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset), "{ended:?}");
}

#[test]
fn a_client_certificate_is_presented_when_asked_for() {
    let authority = Authority::new();
    let port = echo(authority.config(authority.certify(|_| {}, "localhost"), rustls::ALL_VERSIONS, true));
    let (certificate, key) = authority.certify(|_| {}, "me");
    std::fs::write(authority.file("me.pem"), certificate.pem()).unwrap();
    std::fs::write(authority.file("me.key"), key.serialize_pem()).unwrap();
    let options = TlsOptions {
        cert_file: Some(authority.file("me.pem")),
        key_file: Some(authority.file("me.key")),
        ..authority.trusted()
    };
    let mut stream = TlsConnector::new(&options, "localhost").unwrap().connect(socket(port)).unwrap();
    stream.write_all(b"hello").unwrap();
    let mut got = [0; 5];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"hello");
    // In TLS 1.3 the client is told when it reads.
    let mut stream = TlsConnector::new(&authority.trusted(), "localhost").unwrap().connect(socket(port)).unwrap();
    let error = stream.read(&mut got).unwrap_err();
    assert!(explain(&error).unwrap().contains("does it require a client certificate?"), "{error:?}");
}

#[test]
fn unusable_files_are_reported_with_their_paths() {
    let authority = Authority::new();
    std::fs::write(authority.file("empty"), "nothing\n").unwrap();
    let refused = |options: TlsOptions| TlsConnector::new(&options, "localhost").unwrap_err();
    let ca = |name: &str| TlsOptions { ca_file: Some(authority.file(name)), ..TlsOptions::default() };
    assert!(matches!(refused(ca("missing")), TlsError::Unreadable { path, .. } if path.ends_with("missing")));
    assert!(matches!(refused(ca("empty")), TlsError::Empty { what: "certificate", .. }));
    let half = TlsOptions { cert_file: Some(authority.file("ca.pem")), ..authority.trusted() };
    assert!(matches!(refused(half.clone()), TlsError::Incomplete));
    let no_key = TlsOptions { key_file: Some(authority.file("ca.pem")), ..half };
    assert!(matches!(refused(no_key), TlsError::Empty { what: "private key", .. }));
    let name = TlsConnector::new(&authority.trusted(), "no host").unwrap_err();
    assert!(matches!(name, TlsError::InvalidServerName { .. }), "{name:?}");
}

/// A socket that passes a few bytes at a time and returns `WouldBlock` every other time.
struct Choppy {
    socket: TcpStream,
    turn: u32,
}

impl Choppy {
    fn would_block(&mut self) -> io::Result<usize> {
        self.turn += 1;
        if self.turn.is_multiple_of(2) {
            Err(io::ErrorKind::WouldBlock.into())
        } else {
            Ok(self.turn as usize % 700 + 1)
        }
    }
}

impl Read for Choppy {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.would_block()?.min(buffer.len());
        self.socket.read(&mut buffer[..most])
    }
}

impl Write for Choppy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let most = self.would_block()?.min(bytes.len());
        self.socket.write(&bytes[..most])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Repeats a call until it does not return `WouldBlock`.
fn retry<T>(mut use_it: impl FnMut() -> io::Result<T>) -> T {
    for _ in 0..1_000_000 {
        match use_it() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done.unwrap(),
        }
    }
    panic!("it never stopped blocking");
}

#[test]
fn a_non_blocking_socket_loses_and_duplicates_no_bytes() {
    let authority = Authority::new();
    let connector = TlsConnector::new(&authority.trusted(), "localhost").unwrap();
    let choppy = Choppy { socket: socket(echo(authority.plain("localhost"))), turn: 0 };
    let mut stream = connector.connect_in_steps(choppy, |_| Ok(())).unwrap();
    let sent: Vec<u8> = (0..300_000_u64).map(|n| (n * n % 253) as u8).collect();
    let mut got = Vec::new();
    for part in sent.chunks(40_000) {
        let mut left = part;
        while !left.is_empty() {
            let written = retry(|| stream.write(left));
            left = &left[written..];
        }
        let mut buffer = [0; 5000];
        let until = got.len() + part.len();
        while got.len() < until {
            let count = retry(|| stream.read(&mut buffer));
            got.extend_from_slice(&buffer[..count]);
        }
    }
    assert!(got == sent);
}

fn quiet(stream: &mut TlsStream<TcpStream>) -> bool {
    stream.socket().set_nonblocking(true).unwrap();
    let silent = stream.is_silent();
    stream.socket().set_nonblocking(false).unwrap();
    silent
}

#[test]
fn is_silent_ignores_session_tickets_and_notices_bytes_and_the_end() {
    let authority = Authority::new();
    let connector = TlsConnector::new(&authority.trusted(), "localhost").unwrap();
    let mut stream = connector.connect(socket(echo(authority.plain("localhost")))).unwrap();
    stream.write_all(b"ab").unwrap();
    // The session tickets of TLS 1.3 came with it.
    stream.read_exact(&mut [0; 1]).unwrap();
    assert!(!quiet(&mut stream), "one is left");
    stream.read_exact(&mut [0; 1]).unwrap();
    assert!(quiet(&mut stream) && quiet(&mut stream));
    stream.write_all(b"c").unwrap();
    stream.socket().set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(stream.read(&mut [0; 9]).unwrap(), 1);
    stream.socket().shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0; 9]).unwrap(), 0);
    assert!(!quiet(&mut stream));
}

#[test]
fn connect_in_steps_ends_with_the_error_of_its_callback() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = Authority::new();
    let connector = TlsConnector::new(&authority.trusted(), "localhost").unwrap();
    let mut steps = 0;
    let ended = connector.connect_in_steps(socket(silent.local_addr().unwrap().port()), |socket| {
        steps += 1;
        socket.set_read_timeout(Some(Duration::from_millis(5)))?;
        if steps > 10 { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    });
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
}
