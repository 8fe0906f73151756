//! No error, log line or `Debug` output shows the password, a key or a value.

use std::sync::{Mutex, Once};

use super::super::RedisReplyStore;
use super::super::fake_server::{CANARY, FakeServer, TTL, healthy, within};
use crate::ReplyStore;

/// All log lines of this process, at every level.
struct Log(Mutex<String>);

static LOG: Log = Log(Mutex::new(String::new()));

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let mut all = self.0.lock().unwrap();
        all.push_str(&format!("{} {}\n", record.target(), record.args()));
    }

    fn flush(&self) {}
}

#[test]
fn nothing_shows_the_password() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&LOG).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
    });
    let server = FakeServer::answering(|command| match command[0].as_str() {
        "BLPOP" => Some("-ERR unknown command 'BLPOP', with args beginning with: 'c4n4ry-s3cr3t' ".to_owned() + "\r\n"),
        _ => healthy(command),
    });
    let options = server.options();
    let store = RedisReplyStore::new(options.clone()).unwrap();
    store.push(CANARY, CANARY.as_bytes(), TTL, within(20_000)).unwrap();
    let refused = store.pop(&[CANARY], within(20_000)).unwrap_err();
    let address = server.address;
    drop(server);
    let lost = store.ping(within(20_000)).unwrap_err();
    let shown = format!("{:?} {options:?} {store:?} {refused} {refused:?} {lost} {lost:?}", options.url);
    assert!(!shown.contains(CANARY), "{shown}");
    assert!(shown.contains(&format!("redis://:***@{address}/3")), "{shown}");
    let logged = LOG.0.lock().unwrap();
    assert!(logged.contains(&address.to_string()), "nothing was logged");
    assert!(!logged.contains(CANARY), "{logged}");
}
