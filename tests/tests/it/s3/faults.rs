//! Failing servers and networks: every call ends by its deadline and says why. No partial blob is stored or returned.

use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::eventually;
use integration_tests::proxy::{Ending, Mode, Proxy, Way};
use zc_events::Stage;
use zc_events::blobs::{BlobStore, Error, S3BlobStore, S3Options};

use super::server::{BUCKET, ID, SECRET, Server, answers, read_head, soon, within};

const TEXT: &str = "text/plain";
const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(700);
/// How late a call may end on a machine under load. Without a deadline the calls below would not end at all.
const SLACK: Duration = PATIENCE;
/// More than the head of a request.
const HEAD: u64 = 4 * 1024;

fn store_at(address: &str) -> S3BlobStore {
    S3BlobStore::new(S3Options::new(BUCKET, ID, SECRET).endpoint(format!("http://{address}"))).unwrap()
}

fn through(server: &Server) -> (Proxy, S3BlobStore) {
    let proxy = Proxy::start(&server.address.to_string()).unwrap();
    let store = store_at(proxy.address());
    (proxy, store)
}

/// The call ends by its deadline, because of that.
fn ends_in_time<T: std::fmt::Debug>(what: &str, call: impl FnOnce() -> Result<T, Error>) {
    ends_within(SHORT, what, call);
}

fn ends_within<T: std::fmt::Debug>(time: Duration, what: &str, call: impl FnOnce() -> Result<T, Error>) {
    let began = Instant::now();
    let error = call().unwrap_err();
    let took = began.elapsed();
    assert!(matches!(error, Error::Timeout { stage: Stage::BlobStore }), "{what}: {error:?}");
    assert!(took >= time && took < time + SLACK, "{what} took {took:?}");
}

#[test]
fn connection_refused_names_the_address() {
    let address = "127.0.0.1:1";
    let store = store_at(address);
    let error = store.put("a", TEXT, b"v", soon()).unwrap_err();
    let Error::Unavailable { what, .. } = &error else { panic!("{error:?}") };
    assert!(what.contains(address) && what.contains("AWS_ENDPOINT_URL"), "{what}");
    assert!(error.is_retryable());
    let error = store_at("no-such-host.invalid:80").get("a", soon()).unwrap_err();
    assert!(matches!(&error, Error::Unavailable { what, .. } if what.contains("no-such-host.invalid")), "{error:?}");
}

#[test]
fn silent_server_ends_by_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let store = store_at(&listener.local_addr().unwrap().to_string());
    ends_in_time("put", || store.put("a", TEXT, b"v", within(SHORT)));
    ends_in_time("get", || store.get("a", within(SHORT)));
    ends_in_time("delete", || store.delete("a", within(SHORT)));
}

#[test]
fn slow_response_ends_by_the_deadline() {
    let server = Server::start();
    store_at(&server.address.to_string()).put("a", TEXT, &[7; 1000], soon()).unwrap();
    let (proxy, store) = through(&server);
    proxy.set(Way::Down, Mode::Drip(Duration::from_millis(20)));
    ends_in_time("get", || store.get("a", within(SHORT)));
    ends_in_time("put", || store.put("b", TEXT, b"v", within(SHORT)));
}

#[test]
fn slow_body_ends_by_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let store = store_at(&listener.local_addr().unwrap().to_string());
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            thread::spawn(move || {
                read_head(&mut client);
                let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
                while client.write_all(b"x").is_ok() {
                    // tidy: allow(thread::sleep) because a server that drips is what is tested
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
    });
    ends_in_time("get", || store.get("a", within(SHORT)));
}

#[test]
fn unread_upload_ends_by_the_deadline() {
    let server = Server::start();
    let (proxy, store) = through(&server);
    let large = vec![7; 32 << 20];
    proxy.set(Way::Up, Mode::Hold);
    // Longer than the server is given to say that it wants the content.
    let time = Duration::from_secs(5);
    ends_within(time, "put", || store.put("a", TEXT, &large, within(time)));
    // It was being sent: a part of the content was on its way. How much of it, the kernel's socket buffers decide.
    let before = proxy.passed()[0];
    proxy.set(Way::Up, Mode::Pass);
    eventually(PATIENCE, || proxy.passed()[0] > before + HEAD);
    assert!(!server.file(BUCKET, "a").exists());
}

#[test]
fn connection_cut_midway_is_retried() {
    let server = Server::start();
    let (proxy, store) = through(&server);
    let large: Vec<u8> = (0..4 * 1024 * 1024_u32).map(|n| (n % 251) as u8).collect();
    for (way, ending) in [(Way::Up, Ending::Rst), (Way::Up, Ending::Fin)] {
        proxy.set(way, Mode::CutAfter(1 << 20, ending));
        store.put("a", TEXT, &large, soon()).unwrap();
        assert!(store.get("a", soon()).unwrap().as_ref() == Some(&large));
    }
    for ending in [Ending::Rst, Ending::Fin] {
        proxy.set(Way::Down, Mode::CutAfter(1 << 20, ending));
        assert!(store.get("a", soon()).unwrap().as_ref() == Some(&large), "half of it was handed out");
    }
    assert_eq!(proxy.cuts(), 4);
}

#[test]
fn idle_closed_connection_is_reopened() {
    let server = Server::start();
    let (proxy, store) = through(&server);
    store.put("a", TEXT, b"v", soon()).unwrap();
    assert_eq!(proxy.accepted(), 1);
    assert!(store.get("a", soon()).unwrap().is_some());
    assert_eq!(proxy.accepted(), 1, "the connection was not kept");
    for ending in [Ending::Rst, Ending::Fin] {
        let before = proxy.accepted();
        assert_eq!(proxy.cut_all(ending), 1);
        // What is sent at once may still pass.
        eventually(PATIENCE, || {
            assert!(store.get("a", soon()).unwrap().is_some());
            proxy.accepted() > before
        });
    }
}

#[test]
fn server_error_is_tried_three_times() {
    let busy = |_| b"HTTP/1.1 503 Slow Down\r\ncontent-length: 24\r\n\r\n<Code>SlowDown</Code>   ".to_vec();
    let (address, count) = answers(busy);
    let error = store_at(&address).get("a", soon()).unwrap_err();
    assert!(matches!(&error, Error::Unavailable { what, .. } if what.contains("503, SlowDown")), "{error:?}");
    assert_eq!(count.load(Ordering::SeqCst), 3);

    let (address, count) = answers(move |number| match number {
        0 => busy(0),
        1 => b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n".to_vec(),
        _ => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi".to_vec(),
    });
    assert_eq!(store_at(&address).get("a", soon()).unwrap().as_deref(), Some(&b"hi"[..]));
    assert_eq!(count.load(Ordering::SeqCst), 3);

    // What does not pass is asked once.
    let (address, count) = answers(|_| b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n".to_vec());
    assert!(matches!(store_at(&address).get("a", soon()), Err(Error::Rejected { .. })));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn non_s3_response_is_an_error_without_retry() {
    let endless = b"x-x: kNrCanaryY\r\n".repeat(100_000);
    let answer = |head: &str, body: &[u8]| [head.as_bytes(), b"\r\n\r\n", body].concat();
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("another protocol", b"220 kNrCanaryY ESMTP\r\n".to_vec()),
        ("half of a head", b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()),
        ("a head without an end", [&b"HTTP/1.1 200 OK\r\n"[..], &endless].concat()),
        ("less than announced", answer("HTTP/1.1 200 OK\r\ncontent-length: 100", b"kNrCanaryY")),
        ("an invalid length", answer("HTTP/1.1 200 OK\r\ncontent-length: kNrCanaryY", b"kNrCanaryY")),
        ("half of a chunk", answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", b"64\r\nkNrCanaryY")),
        ("a redirect", answer("HTTP/1.1 307 Go\r\nlocation: http://kNrCanaryY/\r\ncontent-length: 0", b"")),
        ("a page", answer("HTTP/1.1 404 No\r\ncontent-length: 11", b"kNrCanaryY\n")),
        ("an invalid error code", answer("HTTP/1.1 400 No\r\ncontent-length: 26", b"<Code>kNr-Canary-Y</Code>\n")),
        ("no content", answer("HTTP/1.1 204 None", b"")),
        ("an error without an end", answer("HTTP/1.1 400 No", &b"kNrCanaryY".repeat(1 << 20))),
    ] {
        let (address, _) = answers(move |_| bytes.clone());
        let error = store_at(&address).get("a", soon()).expect_err(what);
        assert!(matches!(error, Error::Unavailable { .. } | Error::Rejected { .. }), "{what}: {error:?}");
        let said = format!("{error} {error:?}");
        assert!(said.contains(&address) && !said.contains("kNr"), "{what}: {said}");
    }
}

#[test]
fn too_large_blob_is_not_read_to_its_end() {
    let options = |address: &str| S3Options::new(BUCKET, ID, SECRET).endpoint(format!("http://{address}")).limit(1000);
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 1000000000000",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked",
        "HTTP/1.1 200 OK\r\nconnection: close",
    ] {
        let bytes = [head.as_bytes(), b"\r\n\r\n", &b"400\r\n"[..], &[b'x'; 1 << 20]].concat();
        let (address, _) = answers(move |_| bytes.clone());
        let error = S3BlobStore::new(options(&address)).unwrap().get("a", soon()).unwrap_err();
        assert!(matches!(error, Error::TooLarge { limit: 1000, .. }), "{head}: {error:?}");
    }
}
