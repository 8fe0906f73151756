//! The first connection: a server that is down, refuses the login, or is no Redis. The caller gets the reason at once.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::SystemClock;

use super::super::fake_server::{CANARY, FakeServer, errors, healthy, within};
use super::super::{RedisOptions, RedisReplyStore, RedisUrl};
use crate::{Error, ReplyStore};

fn store(url: &str) -> RedisReplyStore {
    RedisReplyStore::new(RedisOptions::new(RedisUrl::parse(url).unwrap(), Arc::new(SystemClock))).unwrap()
}

#[test]
fn a_store_is_built_without_a_server() {
    let store = store(&format!("redis://:{CANARY}@127.0.0.1:1"));
    // Each call is refused, and none waits for its deadline.
    for error in (0..10).flat_map(|_| errors(&store, 60_000)) {
        assert!(error.to_string().contains("is Redis running there?"), "{error}");
        assert!(error.source().is_some());
    }
}

#[test]
fn a_refused_login_is_told_at_once() {
    let refusing = |to: &'static str, line: &'static str| {
        FakeServer::answering(
            move |command| {
                if command[0] == to { Some(format!("-{line}\r\n")) } else { healthy(command) }
            },
        )
    };
    for (to, line, expected) in [
        ("AUTH", "WRONGPASS invalid username-password pair", "check the user name and the password"),
        ("AUTH", "ERR Client sent AUTH, but no password is set", "no password set"),
        ("AUTH", "ERR unknown command `AUTH`, with args beginning with: `c4n4ry-s3cr3t`", "refused the login"),
        ("SELECT", "ERR DB index is out of range", "refused database 3"),
    ] {
        for error in errors(&refusing(to, line).store(), 60_000) {
            assert!(matches!(error, Error::Rejected { .. }) && error.to_string().contains(expected), "{error}");
        }
    }
    let full = FakeServer::start(|peer| peer.say("-ERR max number of clients reached\r\n"));
    assert!(errors(&full.store(), 60_000).iter().all(|error| matches!(error, Error::Unavailable { .. })));
}

#[test]
fn an_unknown_host_is_named() {
    for error in errors(&store(&format!("redis://:{CANARY}@no-such-host.invalid")), 2000) {
        assert!(error.is_timeout() || error.to_string().contains("no-such-host.invalid"), "{error}");
    }
}

#[test]
fn garbage_is_told_and_not_parsed_further() {
    for garbage in ["HTTP/1.1 400 Bad Request\r\n\r\n", "*99999999999\r\n", ":\r\n", &"*1\r\n".repeat(100_000)] {
        let garbage = garbage.to_owned();
        let server = FakeServer::start(move |peer| {
            peer.say(&garbage);
            peer.listen();
        });
        for error in errors(&server.store(), 20_000) {
            assert!(error.to_string().contains("does not speak the protocol of Redis"), "{error}");
        }
    }
}

#[test]
fn a_server_without_user_names_gets_the_password_alone() {
    let server = FakeServer::answering(|command| match (command[0].as_str(), command.len()) {
        ("AUTH", 3) => Some("-ERR wrong number of arguments for 'auth' command\r\n".to_owned()),
        _ => healthy(command),
    });
    store(&format!("redis://h:{CANARY}@{}", server.address)).ping(within(20_000)).unwrap();
    assert_eq!(server.count("AUTH"), 2);
}

#[test]
fn invalid_options_are_refused() {
    let options = || RedisOptions::new(RedisUrl::parse("redis://h").unwrap(), Arc::new(SystemClock));
    let mut no_connections = options();
    no_connections.pool_size = 0;
    assert!(matches!(RedisReplyStore::new(no_connections), Err(Error::Config { .. })));
    let mut no_time = options();
    no_time.connect_timeout = Duration::ZERO;
    assert!(matches!(RedisReplyStore::new(no_time), Err(Error::Config { .. })));
}
