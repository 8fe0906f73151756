//! Requests that the server refuses: the error has a hint and shows no secret.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use zc_events::blobs::{BlobStore, Error, S3BlobStore, S3Options};
use zc_events::{Clock, SystemClock};

use super::server::{BUCKET, ID, SECRET, Server, answers, soon};

const CANARY: &str = "kNrSecretY";

/// The error of each call of a store with these options.
fn refusals(options: &S3Options) -> [Error; 3] {
    let store = S3BlobStore::new(options.clone()).unwrap();
    let put = store.put("a/b", "text/plain", CANARY.as_bytes(), soon()).unwrap_err();
    let got = store.get("a/b", soon()).unwrap_err();
    let deleted = store.delete("a/b", soon()).unwrap_err();
    [put, got, deleted]
}

/// Everything that an error shows, with its causes.
fn said(error: &Error) -> String {
    let mut said = format!("{error} {error:?} {error:#?}");
    let mut next = error.source();
    while let Some(cause) = next {
        said += &format!(" {cause} {cause:?}");
        next = cause.source();
    }
    said
}

#[test]
fn wrong_secret_is_refused_and_nothing_is_stored() {
    let server = Server::start();
    let wrong = S3Options::new(BUCKET, ID, format!("{SECRET}{CANARY}")).endpoint(server.url()).session_token(CANARY);
    for error in refusals(&wrong) {
        let Error::Rejected { why } = &error else { panic!("{error:?}") };
        assert!(why.contains("403, SignatureDoesNotMatch") && why.contains("AWS_SECRET_ACCESS_KEY"), "{why}");
        assert!(why.contains(&server.url()) && why.contains(BUCKET) && why.contains("`a/b`"), "{why}");
        let said = said(&error);
        assert!(!said.contains(CANARY) && !said.contains("Signature="), "{said}");
    }
    assert!(!server.file(BUCKET, "a/b").exists());
    let shown = S3BlobStore::new(wrong.clone()).unwrap();
    assert!(!format!("{wrong:?} {wrong:#?} {shown:?} {shown:#?}").contains(CANARY));
}

#[test]
fn an_unknown_key_id_is_an_error() {
    let server = Server::start();
    for error in refusals(&S3Options::new(BUCKET, "AKIDOTHER", CANARY).endpoint(server.url())) {
        assert!(matches!(&error, Error::Rejected { .. }), "{error:?}");
        let said = said(&error);
        assert!(said.contains("status 403") && said.contains("AWS_ACCESS_KEY_ID") && !said.contains(CANARY), "{said}");
    }
}

/// A missing bucket differs from a missing blob. The response is from S3's documentation, because s3s creates missing
/// buckets.
#[test]
fn a_missing_bucket_is_an_error() {
    let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\n<Code>NoSuchBucket</Code>\n<Message>The specified bucket \
                does not exist</Message>\n<RequestId>4442587FB7D0A2F9</RequestId>\n</Error>";
    let answer = format!("HTTP/1.1 404 Not Found\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes();
    let (address, _) = answers(move |_| answer.clone());
    for error in refusals(
        &S3Options::new(BUCKET, ID, SECRET)
            .bucket_setting("AWS_EMAIL_BUCKET_NAME")
            .endpoint(format!("http://{address}")),
    ) {
        assert!(matches!(&error, Error::Rejected { .. }), "{error:?}");
        let why = error.to_string();
        assert!(why.contains("NoSuchBucket") && why.contains("AWS_EMAIL_BUCKET_NAME"), "{why}");
    }
}

/// The server reads only the head, responds and closes the connection. The client reads the response all the same.
#[test]
fn the_response_to_a_large_blob_is_read() {
    let large = vec![7; 32 << 20];
    let (address, count) =
        answers(|_| b"HTTP/1.1 403 No\r\ncontent-length: 25\r\n\r\n<Code>AccessDenied</Code> ".to_vec());
    let store = S3BlobStore::new(S3Options::new(BUCKET, ID, SECRET).endpoint(format!("http://{address}"))).unwrap();
    let error = store.put("a", "text/plain", &large, soon()).unwrap_err();
    assert!(matches!(&error, Error::Rejected { why, .. } if why.contains("AccessDenied")), "{error:?}");
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 1);

    let server = Server::start();
    let wrong = S3BlobStore::new(S3Options::new(BUCKET, ID, "wrong").endpoint(server.url())).unwrap();
    let error = wrong.put("a", "text/plain", &large, soon()).unwrap_err();
    assert!(matches!(&error, Error::Rejected { why, .. } if why.contains("SignatureDoesNotMatch")), "{error:?}");
}

/// A clock whose time of day is wrong.
#[derive(Debug)]
struct Wrong;

impl Clock for Wrong {
    fn now(&self) -> Instant {
        SystemClock.now()
    }

    fn wall(&self) -> SystemTime {
        SystemClock.wall() - Duration::from_secs(2 * 60 * 60)
    }

    fn at(&self, instant: Instant) -> crossbeam_channel::Receiver<Instant> {
        SystemClock.at(instant)
    }
}

#[test]
fn a_wrong_clock_is_an_error() {
    let server = Server::start();
    for error in refusals(&server.options().clock(Arc::new(Wrong))) {
        assert!(matches!(&error, Error::Rejected { .. }), "{error:?}");
        assert!(error.to_string().contains("RequestTimeTooSkewed: this machine's clock"), "{error}");
    }
}

#[test]
fn content_type_cannot_inject_a_header() {
    let server = Server::start();
    let store = S3BlobStore::new(server.options()).unwrap();
    for content_type in ["", "text/plain\r\nx-amz-acl: public-read", "text/plain\n", "t\u{e9}xt/plain", "a\0b"] {
        let refused = store.put("a", content_type, b"v", soon());
        assert!(matches!(refused, Err(Error::Rejected { .. })), "{content_type:?}");
    }
    assert!(store.get("a", soon()).unwrap().is_none());
}
