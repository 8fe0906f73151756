//! Which connections are used again: clean ones only.

use std::io::Write;
use std::net::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use zc_events_protocol::{Clock, ManualClock};

use super::super::fake_server::{FakeServer, Peer, TTL, eventually, healthy, key_and_value, pop_that_leaves, within};
use crate::{Error, ReplyStore};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn crossed_replies_after_a_read_timeout() {
    // The first BLPOP is answered after its caller has left. The next caller gets its own answer.
    let (late, pops) = (Arc::new(Mutex::new(None)), AtomicUsize::new(0));
    let server = FakeServer::start({
        let late = Arc::clone(&late);
        move |peer| {
            while let Some(command) = peer.command() {
                match command[0].as_str() {
                    "BLPOP" if pops.fetch_add(1, Ordering::SeqCst) == 0 => {
                        *late.lock().unwrap() = Some(peer.stream.try_clone().unwrap());
                    }
                    "BLPOP" => peer.say(&key_and_value(&command[1], "own")),
                    _ => peer.say(&healthy(&command).unwrap()),
                }
            }
        }
    });
    let clock = ManualClock::new();
    let store = server.store_with(&clock);
    assert_eq!(pop_that_leaves(&server, &store, &clock, "first", SECOND).unwrap(), None);
    eventually(|| late.lock().unwrap().is_some());
    let mut first = late.lock().unwrap().take().unwrap();
    assert_eq!(store.pop(&["second"], clock.deadline(TTL)).unwrap().unwrap().1, b"own");
    first.write_all(key_and_value("first", "stale").as_bytes()).unwrap();
    eventually(|| server.count("EVAL") == 1);
    assert_eq!(store.pop(&["first"], clock.deadline(TTL)).unwrap().unwrap().1, b"own");
}

#[test]
fn a_connection_whose_reply_is_missing_is_not_lent_again() {
    // As above, but the late reply is for the same key, and would arrive during the next call.
    let missing = AtomicUsize::new(0);
    let server = FakeServer::start(move |peer| {
        while let Some(command) = peer.command() {
            match (command[0].as_str(), peer.number) {
                ("BLPOP", 0) if missing.fetch_add(1, Ordering::SeqCst) == 0 => {}
                ("BLPOP", 0) => peer.say(&key_and_value("k", "stale")),
                ("BLPOP", _) => peer.say(&key_and_value("k", "own")),
                _ => peer.say(&healthy(&command).unwrap()),
            }
        }
    });
    let clock = ManualClock::new();
    let store = server.store_with(&clock);
    assert_eq!(pop_that_leaves(&server, &store, &clock, "k", SECOND).unwrap(), None);
    assert_eq!(store.pop(&["k"], clock.deadline(TTL)).unwrap().unwrap().1, b"own");
}

#[test]
fn an_answer_under_another_key_ends_the_connection() {
    let server = FakeServer::answering(|command| match command[0].as_str() {
        "BLPOP" if command[1] == "mine" => Some(key_and_value("yours", "v")),
        "BLPOP" => Some(key_and_value(&command[1], "v")),
        _ => healthy(command),
    });
    let store = server.store();
    assert!(matches!(store.pop(&["mine"], within(20_000)), Err(Error::Unavailable { .. })));
    assert!(store.pop(&["other"], within(20_000)).unwrap().is_some());
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

/// A server that does `then` to its first connection after its first PONG, and a function that lets it do so.
fn after_a_ping(then: fn(&mut Peer)) -> (FakeServer, impl FnOnce()) {
    let (go, going) = crossbeam_channel::bounded::<()>(0);
    let (done, is_done) = crossbeam_channel::bounded::<()>(0);
    let server = FakeServer::start(move |peer| {
        while let Some(command) = peer.command() {
            peer.say(&healthy(&command).unwrap());
            if command[0] == "PING" && peer.number == 0 {
                going.recv().unwrap();
                then(peer);
                done.send(()).unwrap();
            }
        }
    });
    (server, move || {
        go.send(()).unwrap();
        is_done.recv().unwrap();
    })
}

#[test]
fn an_unexpected_reply_ends_the_connection() {
    let (server, speak) = after_a_ping(|peer| peer.say("*1\r\n:7\r\n"));
    let store = server.store();
    store.ping(within(20_000)).unwrap();
    speak();
    store.push("k", b"v", TTL, within(20_000)).unwrap();
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

#[test]
fn a_connection_that_was_closed_while_idle_costs_no_error() {
    let (server, close) = after_a_ping(|peer| peer.stream.shutdown(Shutdown::Both).unwrap());
    let store = server.store();
    store.ping(within(20_000)).unwrap();
    close();
    store.push("k", b"v", TTL, within(20_000)).unwrap();
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
    assert_eq!(server.count("PING"), 1);
}

#[test]
fn checkout_sends_ping_only_after_a_long_idle_time() {
    let server = FakeServer::answering(healthy);
    let clock = ManualClock::new();
    let store = server.store_with(&clock);
    let push = || store.push("k", b"v", TTL, clock.deadline(TTL)).unwrap();
    for _ in 0..10 {
        push();
        clock.advance(Duration::from_secs(14));
    }
    assert_eq!(server.count("PING"), 0);
    clock.advance(SECOND);
    push();
    assert_eq!(server.count("PING"), 1);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    assert_eq!(server.count("AUTH"), 1);
}

#[test]
fn a_refused_push_leaves_the_connection_in_step() {
    let server = FakeServer::answering(|command| match (command[0].as_str(), command.get(1).map(String::as_str)) {
        ("RPUSH", Some("full")) => Some("-OOM command not allowed\r\n".to_owned()),
        ("EXEC", _) => None,
        ("EXPIRE", Some("full")) => Some("+QUEUED\r\n-EXECABORT Transaction discarded\r\n".to_owned()),
        ("EXPIRE", _) => Some("+QUEUED\r\n*2\r\n:1\r\n:1\r\n".to_owned()),
        _ => healthy(command),
    });
    let store = server.store();
    let error = store.push("full", b"v", TTL, within(20_000)).unwrap_err();
    assert!(error.to_string().contains("maxmemory"), "{error}");
    store.push("k", b"v", TTL, within(20_000)).unwrap();
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}
