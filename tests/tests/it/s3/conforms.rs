//! What every store does, and what only S3 has: a place for the content type.

use std::sync::Arc;

use zc_events::blobs::{Addressing, BlobStore, S3BlobStore, conformance};

use super::server::{BUCKET, Server, soon};

#[test]
fn conforms() {
    let server = Server::start();
    conformance::run(&|limit| Arc::new(S3BlobStore::new(server.options().limit(limit)).unwrap()));
}

/// Credentials that last for a while only: their token is part of what is signed.
#[test]
fn conforms_with_a_session_token() {
    let server = Server::start();
    let options = server.options().session_token("token/with+all=").addressing(Addressing::Path).region("eu-west-1");
    conformance::run(&|limit| Arc::new(S3BlobStore::new(options.clone().limit(limit)).unwrap()));
}

#[test]
fn stored_blob_is_a_file_of_the_server() {
    let server = Server::start();
    let store = S3BlobStore::new(server.options()).unwrap();
    store.put("2026-11-23/menu.html", "text/html;  charset=utf-8 ", b"<p>Lunch</p>", soon()).unwrap();
    assert_eq!(std::fs::read(server.file(BUCKET, "2026-11-23/menu.html")).unwrap(), b"<p>Lunch</p>");
}
