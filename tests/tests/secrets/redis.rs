//! The password of Redis: a server that is down, silent, of another mind about the login, or that quotes what it was
//! told.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use integration_tests::{redis_url, unique};
use zc_events_cache::redis::{RedisOptions, RedisReplyStore, RedisUrl};
use zc_events_cache::{Error, ReplyStore};
use zc_events_protocol::{Clock, Deadline, SystemClock};

use crate::canary::Canary;
use crate::log_lines::{has_heard, listen};
use crate::relay::{Real, Relay, read_command};
use crate::search::{assert_no_content, assert_no_credentials, said};

fn soon() -> Deadline {
    SystemClock.deadline(Duration::from_secs(2))
}

fn store(url: &str) -> (RedisReplyStore, String) {
    listen();
    let url: RedisUrl = url.parse().unwrap();
    let options = RedisOptions::new(url.clone(), Arc::new(SystemClock));
    let shown = format!("{url} {url:?} {options:?}");
    (RedisReplyStore::new(options).unwrap(), shown)
}

/// Every kind of call; each must fail, and say `says`.
fn fails(canary: &Canary, url: &str, says: &str) -> Vec<Error> {
    let (store, mut all) = store(url);
    let key = unique("secrets");
    let errors: Vec<Error> = [
        store.push(&key, b"value", Duration::from_secs(5), soon()).err(),
        store.pop(&[&key], soon()).err(),
        store.claim(&key, "owner", Duration::from_secs(5), soon()).err(),
        store.complete(&key, "owner", b"record", Duration::from_secs(5), soon()).err(),
        store.release(&key, "owner", soon()).err(),
        store.ping(soon()).err(),
    ]
    .into_iter()
    .map(|error| error.expect("it should have failed"))
    .collect();
    for error in &errors {
        let error = said(error);
        assert!(error.contains(says), "no `{says}` in: {error}");
        all += &error;
    }
    let health = store.health();
    all += &format!("{store:?} {store:#?} {health:?}");
    assert!(has_heard("zc_events_cache", "no connection to redis://"));
    assert_no_credentials(canary, &all);
    errors
}

#[test]
fn a_server_that_is_down() {
    let canary = Canary::new();
    let port = 1;
    for login in [format!(":{}", canary.encoded()), format!("app:{}", canary.encoded())] {
        let errors = fails(&canary, &format!("redis://{login}@127.0.0.1:{port}/0"), "nothing listens");
        assert!(errors.iter().all(|error| matches!(error, Error::Unavailable { .. })), "{errors:?}");
    }
    let url = format!("redis://127.0.0.1:{port}/0?password={}", canary.encoded());
    fails(&canary, &url, "nothing listens");
}

#[test]
fn an_unknown_host() {
    let canary = Canary::new();
    fails(&canary, &format!("redis://:{}@no-such-host.invalid/0", canary.encoded()), "cannot be resolved");
}

#[test]
fn a_server_that_says_nothing() {
    let canary = Canary::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://:{}@{}/0", canary.encoded(), listener.local_addr().unwrap());
    let errors = fails(&canary, &url, "");
    let ended = |error: &Error| error.is_timeout() || matches!(error, Error::Unavailable { .. });
    assert!(errors.iter().all(ended), "{errors:?}");
}

#[test]
fn a_password_that_is_wrong() {
    let canary = Canary::new();
    let real = RedisUrl::parse(&redis_url()).unwrap();
    let place = format!("{}:{}", real.host(), real.port());
    for login in [format!(":{}", canary.encoded()), format!("app:{}", canary.encoded())] {
        let errors = fails(&canary, &format!("redis://{login}@{place}/0"), "refused the login");
        assert!(errors.iter().all(|error| matches!(error, Error::Rejected { .. })), "{errors:?}");
    }
}

/// Redis quotes the arguments of a command that it does not know.
#[test]
fn a_server_that_quotes_what_it_was_told() {
    for answer in
        ["ERR unknown command 'AUTH', with args beginning with: '{}'", "WRONGPASS {} is wrong", "{}", "LOADING {}"]
    {
        let canary = Canary::new();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://:{}@{}/0", canary.encoded(), listener.local_addr().unwrap());
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                while let Ok(words) = read_command(&mut client) {
                    let Some(password) = words.last() else { break };
                    let _ = client.write_all(format!("-{}\r\n", answer.replace("{}", password)).as_bytes());
                }
            }
        });
        fails(&canary, &url, "refused");
    }
}

/// A login that works, and commands that are refused for what they are about.
#[test]
fn a_key_that_holds_something_else() {
    let canary = Canary::new();
    let real = Real::of(&redis_url(), 6379);
    let path = real.path.clone();
    let relay = Relay::redis(real, canary.plain());
    let (store, mut all) = store(&format!("redis://:{}@{}{path}", canary.encoded(), relay.address));
    let (key, content) = (unique("secrets"), Canary::new());
    // A record is a text, and an answer goes to a list.
    let minute = Duration::from_secs(60);
    store.claim(&key, "owner", minute, soon()).unwrap();
    store.complete(&key, "owner", content.plain().as_bytes(), minute, soon()).unwrap();
    assert!(relay.logins() > 0, "the password was not sent");
    let errors = [
        store.push(&key, content.plain().as_bytes(), minute, soon()).unwrap_err(),
        store.pop(&[&key], soon()).unwrap_err(),
    ];
    for error in &errors {
        assert!(matches!(error, Error::Rejected { why } if why.contains("WRONGTYPE")), "{error:?}");
        all += &said(error);
    }
    let claim = store.claim(&key, "owner", minute, soon()).unwrap();
    relay.cut();
    let lost = store.release(&unique("secrets"), "owner", soon()).err().map(|error| said(&error)).unwrap_or_default();
    all += &format!("{claim:?} {store:?} {:?} {lost}", store.health());
    assert_no_credentials(&canary, &all);
    assert_no_content(&content, &all);
}
