//! The reply store on a real Redis server. Run by `cargo xtask integration`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use integration_tests::redis_url;
use zc_events_cache::redis::{RedisOptions, RedisReplyStore, RedisUrl};
use zc_events_cache::{Error, conformance};
use zc_events_protocol::{Clock, Deadline, SystemClock};

fn options() -> RedisOptions {
    RedisOptions::new(RedisUrl::parse(&redis_url()).unwrap(), Arc::new(SystemClock))
}

fn soon() -> Deadline {
    SystemClock.deadline(Duration::from_secs(10))
}

#[test]
fn conforms() {
    let store = RedisReplyStore::new(options()).unwrap();
    conformance::run(&|| Arc::new(store.clone()));
}

#[test]
fn conforms_with_two_connections() {
    let mut options = options();
    options.pool_size = 2;
    let store = RedisReplyStore::new(options).unwrap();
    conformance::run(&|| Arc::new(store.clone()));
}

#[test]
fn redis_url_opens_the_store() {
    conformance::lists::ping_answers(&|| zc_events_cache::open(&redis_url(), Arc::new(SystemClock)).unwrap());
}

#[test]
fn missing_redis_database_is_reported_at_once() {
    let url = redis_url();
    let base = url.split('?').next().unwrap();
    let store = zc_events_cache::open(&format!("{base}?db=100000"), Arc::new(SystemClock)).unwrap();
    let start = Instant::now();
    let error = store.ping(soon()).unwrap_err();
    assert!(matches!(&error, Error::Rejected { why } if why.contains("refused database 100000")), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn wrong_redis_login_is_reported_at_once() {
    let url = RedisUrl::parse(&redis_url()).unwrap();
    let wrong = format!("redis://nobody-{}:canary@{}:{}", std::process::id(), url.host(), url.port());
    let store = zc_events_cache::open(&wrong, Arc::new(SystemClock)).unwrap();
    let start = Instant::now();
    let error = store.pop(&["k"], soon()).unwrap_err();
    assert!(matches!(&error, Error::Rejected { why } if why.contains("WRONGPASS")), "{error}");
    assert!(!format!("{error:?}").contains("canary"));
    assert!(start.elapsed() < Duration::from_secs(5));
}
