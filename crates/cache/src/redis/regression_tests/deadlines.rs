//! Servers that are silent, stall or drip: every call ends by its deadline.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use zc_events_protocol::{Clock, ManualClock, Stage, SystemClock};

use super::super::fake_server::{CANARY, FakeServer, TTL, errors, eventually, healthy, pop_that_leaves, within};
use super::super::{RedisOptions, RedisReplyStore, RedisUrl};
use crate::{Error, ReplyStore};

#[test]
fn connect_auth_and_read_have_deadlines() {
    // Accepts and never replies: AUTH hangs.
    let silent = FakeServer::start(|peer| peer.listen());
    assert!(errors(&silent.store(), 200).iter().all(Error::is_timeout));
    // Drips: each byte comes in time, the reply never does.
    let dripping = FakeServer::start(|peer| {
        peer.say("+");
        let (_never, tick) = crossbeam_channel::bounded::<()>(0);
        while peer.stream.write_all(b"O").is_ok() {
            let _ = tick.recv_timeout(Duration::from_millis(20));
        }
    });
    assert!(errors(&dripping.store(), 300).iter().all(Error::is_timeout));
    // Accepts the login and then never replies.
    let deaf =
        FakeServer::answering(|command| healthy(command).filter(|_| matches!(command[0].as_str(), "AUTH" | "SELECT")));
    let (store, deadline) = (deaf.store(), within(200));
    assert!(store.ping(deadline).unwrap_err().is_timeout());
    assert!(store.push("k", b"v", TTL, within(200)).unwrap_err().is_timeout());
    // Never accepts: the queue of the listener is full.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut filling = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        filling.push(stream);
    }
    let url = RedisUrl::parse(&format!("redis://:{CANARY}@{address}")).unwrap();
    let full = RedisReplyStore::new(RedisOptions::new(url, Arc::new(SystemClock))).unwrap();
    assert!(errors(&full, 200).iter().all(Error::is_timeout));
}

#[test]
fn a_stalled_server_is_told_from_one_that_has_no_answer() {
    let server = FakeServer::answering(|command| healthy(command).filter(|_| command[0] != "BLPOP"));
    let clock = ManualClock::new();
    let store = server.store_with(&clock);
    // The server may not have looked at its timeouts yet.
    let early = pop_that_leaves(&server, &store, &clock, "k", Duration::from_millis(1300));
    assert!(matches!(early, Ok(None)), "{early:?}");
    let late = pop_that_leaves(&server, &store, &clock, "k", Duration::from_millis(1301));
    assert!(matches!(late, Err(Error::Timeout { stage: Stage::Store })), "{late:?}");
    assert_eq!(store.health().reachable, Some(false));
}

#[test]
fn a_deadline_that_passes_while_connecting_is_told_as_such() {
    let silent = FakeServer::start(|peer| peer.listen());
    let clock = ManualClock::new();
    let store = silent.store_with(&clock);
    let deadline = clock.deadline(Duration::from_secs(1));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| store.pop(&["k"], deadline));
        eventually(|| silent.connections.load(Ordering::SeqCst) > 0);
        clock.advance(Duration::from_secs(1));
        let error = waiting.join().unwrap().unwrap_err();
        assert!(matches!(error, Error::Timeout { stage: Stage::Connect }), "{error}");
    });
}

#[test]
fn the_connect_timeout_ends_a_login_long_before_the_deadline() {
    let silent = FakeServer::start(|peer| peer.listen());
    let mut options = silent.options();
    options.connect_timeout = Duration::from_millis(150);
    let store = RedisReplyStore::new(options).unwrap();
    // By its deadline each would end as a timeout.
    let errors = errors(&store, 60_000);
    assert!(errors.iter().all(|error| error.to_string().contains("did not answer in time")), "{errors:?}");
}

#[test]
fn a_caller_without_a_free_connection_waits_until_its_deadline() {
    let (go, going) = crossbeam_channel::bounded::<()>(0);
    let server = FakeServer::answering(move |command| {
        if command[0] == "EXEC" {
            going.recv().unwrap();
        }
        healthy(command)
    });
    let clock = ManualClock::new();
    let mut options = server.options();
    options.pool_size = 1;
    options.clock = Arc::new(clock.clone());
    let store = RedisReplyStore::new(options).unwrap();
    let deadline = clock.deadline(Duration::from_secs(1));
    thread::scope(|scope| {
        let holding = scope.spawn(|| store.push("k", b"v", TTL, clock.deadline(TTL)));
        eventually(|| server.count("EXEC") > 0);
        let waiting = scope.spawn(|| store.push("k", b"v", TTL, deadline).unwrap_err());
        clock.advance(Duration::from_secs(1));
        let error = waiting.join().unwrap();
        assert_eq!(error.to_string(), "the deadline passed while waiting for a free connection");
        go.send(()).unwrap();
        holding.join().unwrap().unwrap();
    });
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}
