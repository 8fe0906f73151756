//! HTTPS: a server is trusted only if its certificate is signed by an authority that the settings name.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use integration_tests::tls::Authority;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use zc_events::blobs::{BlobStore, Error, S3BlobStore};

use super::server::{BUCKET, Server, soon};

/// Puts TLS in front of a server. Each connection carries one request at a time.
fn in_front_of(server: SocketAddr, config: Arc<ServerConfig>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut client = StreamOwned::new(connection, client);
            let mut server = TcpStream::connect(server).unwrap();
            thread::spawn(move || {
                while let Some(request) = read_message(&mut client) {
                    server.write_all(&request).unwrap();
                    let answer = read_message(&mut server).unwrap();
                    client.write_all(&answer).unwrap();
                    client.flush().unwrap();
                }
            });
        }
    });
    port
}

/// A head, and as much as it announces.
fn read_message(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    let mut byte = [0];
    while !message.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        message.push(byte[0]);
    }
    let head = String::from_utf8(message.clone()).unwrap().to_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length:")).map_or(0, |it| it.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    message.extend(body);
    Some(message)
}

#[test]
fn server_is_trusted_with_a_custom_ca_bundle() {
    let (server, authority) = (Server::start(), Authority::new());
    let bundle = authority.file();
    let url = format!("https://localhost:{}", in_front_of(server.address, authority.config("localhost")));
    let store = S3BlobStore::new(server.options().endpoint(&url).ca_bundle(&bundle)).unwrap();
    store.put("a b", "text/plain", b"v", soon()).unwrap();
    assert_eq!(std::fs::read(server.file(BUCKET, "a b")).unwrap(), b"v");
    assert_eq!(store.take("a b", soon()).unwrap().as_deref(), Some(&b"v"[..]));
    assert_eq!(store.get("a b", soon()).unwrap(), None);

    // Mozilla's authorities do not know it.
    let unknown = S3BlobStore::new(server.options().endpoint(&url)).unwrap().get("a", soon()).unwrap_err();
    let Error::Rejected { why, .. } = &unknown else { panic!("{unknown:?}") };
    assert!(why.contains("UnknownIssuer") && why.contains("AWS_CA_BUNDLE"), "{why}");

    // Nor is it another than it says.
    let elsewhere = format!("https://localhost:{}", in_front_of(server.address, authority.config("other.test")));
    let other = S3BlobStore::new(server.options().endpoint(elsewhere).ca_bundle(&bundle)).unwrap();
    let error = other.put("b", "text/plain", b"v", soon()).unwrap_err();
    assert!(matches!(&error, Error::Rejected { why, .. } if why.contains("certificate")), "{error:?}");
    assert!(!server.file(BUCKET, "b").exists());
}

#[test]
fn invalid_ca_bundle_is_reported_before_sending() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let path = folder.path().join("ca.pem");
    let refused = || S3BlobStore::new(server.options().ca_bundle(&path)).map(drop);
    assert!(matches!(refused(), Err(Error::Config { why }) if why.contains("AWS_CA_BUNDLE")));
    for text in ["", "not PEM", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&path, text).unwrap();
        assert!(matches!(refused(), Err(Error::Config { why }) if why.contains("AWS_CA_BUNDLE")), "{text}");
    }
}
