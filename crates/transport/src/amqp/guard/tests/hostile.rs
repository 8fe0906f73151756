//! A consumer against a hostile broker: the guard, amiquip and the subscription together.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use zc_events_protocol::{Clock, Deadline, SystemClock};

use super::super::header::MAX_BODY;
use super::*;
use crate::amqp::{AmqpBroker, AmqpOptions};
use crate::{Broker, ConsumeOptions, Error, ExchangeKind, Subscription, Topology};

fn soon() -> Deadline {
    SystemClock.deadline(Duration::from_secs(20))
}

/// The payload of the next frame.
fn receive(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = [0; 7];
    stream.read_exact(&mut head).ok()?;
    let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
    let mut payload = vec![0; size + 1];
    stream.read_exact(&mut payload).ok()?;
    payload.truncate(size);
    Some(payload)
}

fn start(table: &[u8]) -> Vec<u8> {
    method(0, 10, 10, &[&[0, 9], &long(table), &long(b"PLAIN"), &long(b"en_US")])
}

/// Accepts one connection, answers a consumer's calls, and sends `messages` once it consumes.
fn broker(greeting: Vec<u8>, messages: Vec<u8>) -> (AmqpBroker, JoinHandle<()>) {
    let (asked, _) = bounded(0);
    serve(greeting, messages, asked)
}

/// The same. If a test listens for the opening of a channel, the broker is silent from there on.
fn serve(greeting: Vec<u8>, messages: Vec<u8>, asked: Sender<()>) -> (AmqpBroker, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("amqp://guest:guest@{}/%2F", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 8]).unwrap();
        stream.write_all(&greeting).unwrap();
        while let Some(request) = receive(&mut stream) {
            let answer = match request.get(..4) {
                Some([0, 10, 0, 11]) => method(0, 10, 30, &[&[7, 0xFF, 0, 2, 0, 0, 0, 60]]),
                Some([0, 10, 0, 40]) => method(0, 10, 41, &[&short(b"")]),
                Some([0, 10, 0, 50]) => method(0, 10, 51, &[]),
                Some([0, 20, 0, 10]) if asked.send(()).is_ok() => continue,
                Some([0, 20, 0, 10]) => method(1, 20, 11, &[&long(b"")]),
                Some([0, 20, 0, 40]) => method(1, 20, 41, &[]),
                Some([0, 60, 0, 10]) => method(1, 60, 11, &[]),
                Some([0, 60, 0, 20]) => [&method(1, 60, 21, &[&short(b"ctag")])[..], &messages].concat(),
                Some([0, 60, 0, 30]) => method(1, 60, 31, &[&short(b"ctag")]),
                _ => continue,
            };
            // The client may have disconnected.
            let _ = stream.write_all(&answer);
        }
    });
    (AmqpBroker::new(AmqpOptions::new(url.parse().unwrap())).unwrap(), server)
}

fn subscribe(messages: Vec<u8>) -> (AmqpBroker, Box<dyn Subscription>, JoinHandle<()>) {
    let (broker, server) = broker(start(b""), messages);
    let subscription = broker.subscribe("q", ConsumeOptions::default(), soon()).unwrap();
    (broker, subscription, server)
}

/// A message whose headers would end the process, one that would end the connection, and a valid one.
#[test]
fn a_consumer_survives_what_would_crash_it_and_goes_on() {
    let messages = [
        deliver(1, 1, b"x", b"k"),
        header(1, 4, &headers(&nested(4000))),
        body(1, b"deep"),
        deliver(1, 2, b"x", b"\xff"),
        header(1, 3, &[0, 0]),
        body(1, b"key"),
        deliver(1, 3, b"x", b"k"),
        header(1, 4, &headers(&entry(b"task", b'S', &long(b"t")))),
        body(1, b"good"),
    ];
    let (_broker, subscription, server) = subscribe(messages.concat());
    let next = || subscription.next(soon()).unwrap().unwrap();
    let deep = next();
    assert_eq!((deep.defect, deep.properties.headers.clone()), (Some("headers_too_deep"), None));
    assert_eq!(deep.body, b"deep");
    let key = next();
    assert_eq!((key.defect, key.routing_key.as_str(), key.body.as_slice()), (None, "?", &b"key"[..]));
    let good = next();
    assert_eq!((good.defect, good.body.as_slice()), (None, &b"good"[..]));
    assert!(good.properties.headers.unwrap().contains_key("task"));
    drop(subscription);
    server.join().unwrap();
}

/// Without the guard, the reading thread would panic or abort.
#[test]
fn the_end_says_what_the_broker_did_wrong() {
    let (_broker, subscription, server) = subscribe([deliver(1, 1, b"", b"k"), header(1, u64::MAX, &[0, 0])].concat());
    let Err(Error::Unavailable { source: Some(source), .. }) = subscription.next(soon()) else {
        panic!("it must end");
    };
    assert!(source.to_string().contains("announced a body of 18446744073709551615 bytes"), "{source}");
    drop(subscription);
    server.join().unwrap();
}

#[test]
fn a_greeting_that_would_crash_the_client_is_an_error_that_says_so() {
    for (greeting, words) in [
        (start(&nested(4000)), "method 10.10, with a table that cannot be read"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "unknown type 72"),
    ] {
        let (broker, server) = broker(greeting, Vec::new());
        let error = broker.subscribe("q", ConsumeOptions::default(), soon()).err().unwrap();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(words), "{error}: {source}");
        server.join().unwrap();
    }
}

/// The call holds the connection until its own deadline. Closing has another deadline.
#[test]
fn closing_does_not_wait_for_a_call_that_the_broker_never_answers() {
    let (asked, waits) = bounded(0);
    let (broker, server) = serve(start(b""), Vec::new(), asked);
    let caller = thread::spawn({
        let broker = broker.clone();
        move || broker.declare(&Topology::new().exchange("x", ExchangeKind::Fanout), soon())
    });
    waits.recv_timeout(Duration::from_secs(20)).unwrap();
    let started = Instant::now();
    let closed = broker.close(SystemClock.deadline(Duration::from_millis(200)));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(closed.unwrap_err().is_timeout());
    assert!(caller.join().unwrap().is_err());
    server.join().unwrap();
}

/// amiquip reserves memory for the whole body when it reads the header. The system provides memory only when it is
/// written, so a false size costs only address space.
#[cfg(target_os = "linux")]
#[test]
fn a_body_that_is_only_announced_takes_no_memory() {
    fn resident() -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    }
    let before = resident();
    let announced = [deliver(1, 1, b"", b"k"), header(1, MAX_BODY, &[0, 0]), body(1, b"first")].concat();
    // The cancellation after it shows that all of it was read.
    let (_broker, subscription, server) = subscribe([announced, method(1, 60, 30, &[&short(b"ctag"), &[1]])].concat());
    assert!(matches!(subscription.next(soon()), Err(Error::Rejected { .. })));
    let grown = resident().saturating_sub(before);
    assert!(grown < 128 << 20, "{} MiB", grown >> 20);
    drop(subscription);
    server.join().unwrap();
}
