//! Calls that wait for answers: late answers, lost connections, refused keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::Sender;
use zc_events_protocol::{Clock, ManualClock};

use super::super::RedisReplyStore;
use super::super::fake_server::{FakeServer, TTL, eventually, healthy, key_and_value, pop_that_leaves, within};
use crate::{Error, ReplyStore};

/// A server that answers a BLPOP when the test says so, and replies to EVAL with `eval`.
fn answering_late(eval: &'static str) -> (FakeServer, Sender<()>) {
    let (go, going) = crossbeam_channel::bounded::<()>(0);
    let server = FakeServer::answering(move |command| match command[0].as_str() {
        "BLPOP" => {
            going.recv().ok()?;
            Some(key_and_value("k", "late"))
        }
        "EVAL" => Some(eval.to_owned()),
        _ => healthy(command),
    });
    (server, go)
}

fn pop_that_leaves_before_its_answer(eval: &'static str) -> (FakeServer, RedisReplyStore) {
    let (server, go) = answering_late(eval);
    let clock = ManualClock::new();
    let store = server.store_with(&clock);
    assert_eq!(pop_that_leaves(&server, &store, &clock, "k", Duration::from_secs(1)).unwrap(), None);
    go.send(()).unwrap();
    eventually(|| server.count("EVAL") > 0);
    (server, store)
}

#[test]
fn an_answer_that_comes_after_its_caller_left_is_put_back() {
    let (server, store) = pop_that_leaves_before_its_answer(":1\r\n");
    let commands = server.commands.lock().unwrap();
    let back = commands.iter().find(|words| words[0] == "EVAL").unwrap();
    assert!(back[1].contains("LPUSH") && back[3..] == ["k", "late", "60"], "{back:?}");
    drop(commands);
    assert_eq!(store.health().lost, 0);
}

#[test]
fn an_answer_that_cannot_be_put_back_is_counted() {
    let (_server, store) = pop_that_leaves_before_its_answer("-OOM command not allowed\r\n");
    eventually(|| store.health().lost > 0);
    assert_eq!(store.health().lost, 1);
}

#[test]
fn a_server_that_dies_while_a_pop_waits_is_noticed() {
    let server = FakeServer::answering(|command| healthy(command).filter(|_| command[0] != "BLPOP"));
    let store = server.store();
    let waiting = thread::spawn(move || store.pop(&["k"], within(60_000)));
    eventually(|| server.count("BLPOP") > 0);
    drop(server);
    let error = waiting.join().unwrap().unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("may have been taken and lost"), "{error}");
}

#[test]
fn a_cut_blpop_is_not_retried() {
    let server = FakeServer::start(|peer| {
        while let Some(command) = peer.command() {
            match healthy(&command) {
                Some(reply) => peer.say(&reply),
                None => return peer.say("*2\r\n$1\r\nk\r\n$5\r\nha"),
            }
        }
    });
    let store = server.store();
    assert!(matches!(store.pop(&["k"], within(20_000)), Err(Error::Unavailable { .. })));
    assert_eq!(server.count("BLPOP"), 1);
}

/// A store with one connection, so that all waiting calls share it, and 1000 bytes for a value.
fn shared(server: &FakeServer) -> RedisReplyStore {
    let mut options = server.options();
    (options.pool_size, options.max_reply) = (1, 1000);
    RedisReplyStore::new(options).unwrap()
}

#[test]
fn a_value_over_the_limit_is_refused_before_it_is_read_and_fails_its_own_call_only() {
    let both_wait = Arc::new(AtomicUsize::new(0));
    let server = FakeServer::start({
        let both_wait = Arc::clone(&both_wait);
        move |peer| {
            while let Some(command) = peer.command() {
                let has = |key: &str| command.iter().any(|word| word == key);
                match command[0].as_str() {
                    "BLPOP" if has("large") && has("small") => {
                        both_wait.fetch_add(1, Ordering::SeqCst);
                        peer.say("*2\r\n$5\r\nlarge\r\n$2000\r\n");
                    }
                    // The thread waits for one of the calls only: the other one wakes it.
                    "BLPOP" if has("large") => peer.say(&key_and_value(&command[2], "")),
                    "BLPOP" if both_wait.load(Ordering::SeqCst) > 0 => peer.say(&key_and_value("small", "v")),
                    "BLPOP" => peer.say(&key_and_value(&command[2], "")),
                    _ => peer.say(&healthy(&command).unwrap()),
                }
            }
        }
    });
    let store = shared(&server);
    thread::scope(|scope| {
        let large = scope.spawn(|| store.pop(&["large"], within(20_000)));
        let small = scope.spawn(|| store.pop(&["small"], within(20_000)));
        let error = large.join().unwrap().unwrap_err();
        assert!(matches!(&error, Error::Rejected { why } if why.contains("max_reply")), "{error}");
        assert_eq!(small.join().unwrap().unwrap().unwrap().1, b"v");
    });
}

#[test]
fn a_user_without_the_wake_channel_waits_without_it() {
    let server = FakeServer::answering(|command| match command[0].as_str() {
        "BLPOP" if command.iter().any(|word| word.starts_with("zc-events-wake-")) => {
            Some("-NOPERM this user has no permissions to access one of the keys\r\n".to_owned())
        }
        "BLPOP" => Some(key_and_value(&command[1], "v")),
        _ => healthy(command),
    });
    assert_eq!(shared(&server).pop(&["k"], within(20_000)).unwrap().unwrap().1, b"v");
    assert_eq!(server.count("BLPOP"), 2);
}

#[test]
fn a_user_without_the_wake_channel_gets_all_answers_on_a_shared_connection() {
    const CALLS: usize = 20;
    let server = FakeServer::answering(|command| match command[0].as_str() {
        "BLPOP" if command.iter().any(|word| word.starts_with("zc-events-wake-")) => {
            Some("-NOPERM this user has no permissions to access one of the keys\r\n".to_owned())
        }
        "BLPOP" => Some("*-1\r\n".to_owned()),
        "LPOP" => Some(format!("${}\r\n{}\r\n", command[1].len(), command[1])),
        _ => healthy(command),
    });
    let store = shared(&server);
    thread::scope(|scope| {
        for call in 0..CALLS {
            let store = &store;
            scope.spawn(move || {
                let key = call.to_string();
                assert_eq!(store.pop(&[&key], within(20_000)).unwrap().unwrap().1, key.as_bytes());
            });
        }
    });
}

#[test]
fn calls_have_connections_of_their_own_up_to_the_size_of_the_pool_and_share_beyond() {
    const POOL: usize = 4;
    let server = FakeServer::answering(|command| healthy(command).filter(|_| command[0] != "BLPOP"));
    let clock = ManualClock::new();
    let mut options = server.options();
    options.pool_size = u32::try_from(POOL).unwrap();
    options.clock = Arc::new(clock.clone());
    let store = RedisReplyStore::new(options).unwrap();
    let deadline = clock.deadline(TTL);
    thread::scope(|scope| {
        let wait = || store.pop(&["k"], deadline);
        let mut waiting: Vec<_> = (0..POOL).map(|_| scope.spawn(wait)).collect();
        eventually(|| server.count("BLPOP") == POOL);
        assert_eq!((server.connections.load(Ordering::SeqCst), server.count("RPUSH")), (POOL, 0));
        // One push wakes the connection that the next call shares.
        waiting.push(scope.spawn(wait));
        eventually(|| server.count("EXEC") == 1);
        assert_eq!(server.connections.load(Ordering::SeqCst), POOL + 1);
        eventually(|| store.health().waiting == POOL + 1);
        clock.advance(TTL);
        for call in waiting {
            let _ = call.join().unwrap();
        }
    });
}
