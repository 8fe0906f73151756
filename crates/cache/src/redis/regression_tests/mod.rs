//! A test for each trap of the libraries underneath, and for servers that misbehave.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::thread;
use std::time::{Duration, Instant};

use zc_events_protocol::{Clock, Deadline, ManualClock, SystemClock};

use super::testing::{CANARY, Server, eventually, healthy, within};
use super::{RedisOptions, RedisReplyStore, RedisUrl};
use crate::{Error, ReplyStore, Result};

const TTL: Duration = Duration::from_secs(60);

/// How long after its deadline a call may end.
const MARGIN: Duration = Duration::from_millis(900);

type Call = fn(&RedisReplyStore, Deadline) -> Result<()>;

const CALLS: [(&str, Call); 3] = [
    ("push", |store, deadline| store.push("k", b"v", TTL, deadline)),
    ("pop", |store, deadline| store.pop(&["k"], deadline).map(drop)),
    ("ping", |store, deadline| store.ping(deadline)),
];

/// The error of each call, which must come by its deadline and hide the password.
fn errors(store: &RedisReplyStore, millis: u64) -> Vec<Error> {
    let error = |(name, call): (&str, Call)| {
        let deadline = within(millis);
        let error = call(store, deadline).expect_err(name);
        let late = Instant::now().saturating_duration_since(deadline.instant());
        assert!(late < MARGIN, "{name} ended {late:?} late");
        let source = std::error::Error::source(&error).map(|source| format!("{source} {source:?}"));
        assert!(!format!("{error} {error:?} {source:?}").contains(CANARY), "{error:?}");
        error
    };
    CALLS.map(error).into()
}

fn key_and_value(key: &str, value: &str) -> String {
    format!("*2\r\n${}\r\n{key}\r\n${}\r\n{value}\r\n", key.len(), value.len())
}

#[test]
fn crossed_replies_after_a_read_timeout() {
    // The first BLPOP is answered when its caller has long gone; whoever borrows next gets his own.
    let late = Arc::new(Mutex::new(None));
    let server = Server::start({
        let late = Arc::clone(&late);
        move |peer| {
            while let Some(command) = peer.command() {
                match (command[0].as_str(), peer.number) {
                    ("BLPOP", 0) => *late.lock().unwrap() = Some(peer.stream.try_clone().unwrap()),
                    ("BLPOP", _) => peer.say(&key_and_value(&command[1], "own")),
                    _ => peer.say(&healthy(&command).unwrap()),
                }
            }
        }
    });
    let store = server.store();
    assert_eq!(store.pop(&["first"], within(1000)).unwrap(), None);
    let mut first = late.lock().unwrap().take().unwrap();
    let _ = std::io::Write::write_all(&mut first, key_and_value("first", "stale").as_bytes());
    assert_eq!(store.pop(&["second"], within(2000)).unwrap().unwrap().1, b"own");
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

#[test]
fn a_connection_that_owes_an_answer_is_not_lent_again() {
    // As above, but the late answer is for the same key and arrives during the next call.
    let owed = AtomicUsize::new(0);
    let server = Server::start(move |peer| {
        while let Some(command) = peer.command() {
            match (command[0].as_str(), peer.number) {
                ("BLPOP", 0) if owed.fetch_add(1, Ordering::SeqCst) == 0 => {}
                ("BLPOP", 0) => peer.say(&key_and_value("k", "stale")),
                ("BLPOP", _) => peer.say(&key_and_value("k", "own")),
                _ => peer.say(&healthy(&command).unwrap()),
            }
        }
    });
    let store = server.store();
    assert_eq!(store.pop(&["k"], within(1000)).unwrap(), None);
    assert_eq!(store.pop(&["k"], within(2000)).unwrap().unwrap().1, b"own");
}

#[test]
fn an_answer_for_a_key_that_was_not_asked_for_ends_the_connection() {
    let server = Server::answering(|command| match command[0].as_str() {
        "BLPOP" if command[1] == "mine" => Some(key_and_value("yours", "v")),
        "BLPOP" => Some(key_and_value(&command[1], "v")),
        _ => healthy(command),
    });
    let store = server.store();
    assert!(matches!(store.pop(&["mine"], within(2000)), Err(Error::Unavailable { .. })));
    assert!(store.pop(&["other"], within(2000)).unwrap().is_some());
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

/// A server that does `then` to its first connection after its first PONG, when the test
/// says so, and a way to have it done.
fn after_a_ping(then: fn(&mut super::testing::Peer)) -> (Server, impl FnOnce()) {
    let (go, going) = crossbeam_channel::bounded::<()>(0);
    let (done, is_done) = crossbeam_channel::bounded::<()>(0);
    let server = Server::start(move |peer| {
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
fn an_answer_that_nobody_asked_for_ends_the_connection() {
    let (server, speak) = after_a_ping(|peer| peer.say("*1\r\n:7\r\n"));
    let store = server.store();
    store.ping(within(5000)).unwrap();
    speak();
    store.push("k", b"v", TTL, within(5000)).unwrap();
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

#[test]
fn a_connection_that_was_closed_while_idle_costs_no_error() {
    let (server, close) = after_a_ping(|peer| peer.stream.shutdown(std::net::Shutdown::Both).unwrap());
    let store = server.store();
    store.ping(within(5000)).unwrap();
    close();
    store.push("k", b"v", TTL, within(5000)).unwrap();
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
    assert_eq!(server.count("PING"), 1);
}

#[test]
fn connect_auth_and_read_have_deadlines() {
    // Accepts and never answers: AUTH hangs.
    let silent = Server::start(|peer| peer.listen());
    assert!(errors(&silent.store(), 200).iter().all(Error::is_timeout));
    // Drips: each byte comes in time, the answer never does.
    let dripping = Server::start(|peer| {
        peer.say("+");
        let (_never, tick) = crossbeam_channel::bounded::<()>(0);
        while std::io::Write::write_all(&mut peer.stream, b"O").is_ok() {
            let _ = tick.recv_timeout(Duration::from_millis(20));
        }
    });
    assert!(errors(&dripping.store(), 300).iter().all(Error::is_timeout));
    // Logs in and then never answers.
    let deaf =
        Server::answering(|command| healthy(command).filter(|_| matches!(command[0].as_str(), "AUTH" | "SELECT")));
    let (store, deadline) = (deaf.store(), within(200));
    assert!(store.ping(deadline).unwrap_err().is_timeout());
    assert!(store.push("k", b"v", TTL, within(200)).unwrap_err().is_timeout());
    // Never accepts: the queue of the listener is full.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    let mut filling = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&place, Duration::from_millis(100)) {
        filling.push(stream);
    }
    let url = RedisUrl::parse(&format!("redis://:{CANARY}@{place}")).unwrap();
    let full = RedisReplyStore::new(RedisOptions::new(url, Arc::new(SystemClock))).unwrap();
    assert!(errors(&full, 200).iter().all(Error::is_timeout));
}

#[test]
fn a_server_that_stalls_is_told_from_one_that_has_no_answer_and_keeps_nobody() {
    let server = Server::answering(|command| healthy(command).filter(|_| command[0] != "BLPOP"));
    let store = server.store();
    // It may just not have looked at its timeouts yet.
    for (millis, stalls) in [(100, false), (1900, true)] {
        let deadline = within(millis);
        let result = store.pop(&["k"], deadline);
        assert!(Instant::now().saturating_duration_since(deadline.instant()) < MARGIN);
        assert_eq!(matches!(result, Err(Error::Timeout { stage: zc_events_protocol::Stage::Store })), stalls);
        assert_eq!(matches!(result, Ok(None)), !stalls);
    }
    assert_eq!(store.health().reachable, Some(false));
}

#[test]
fn an_answer_that_comes_after_its_caller_left_is_put_back() {
    let (go, going) = crossbeam_channel::bounded::<()>(0);
    let server = Server::answering(move |command| match command[0].as_str() {
        "BLPOP" => {
            going.recv().unwrap();
            Some(key_and_value("k", "late"))
        }
        "EVAL" => Some(":1\r\n".to_owned()),
        _ => healthy(command),
    });
    let store = server.store();
    assert_eq!(store.pop(&["k"], within(1000)).unwrap(), None);
    go.send(()).unwrap();
    eventually(|| server.count("EVAL") > 0);
    let commands = server.commands.lock().unwrap();
    let back = commands.iter().find(|words| words[0] == "EVAL").unwrap();
    assert!(back[1].contains("LPUSH") && back[3..] == ["k", "late", "60"], "{back:?}");
    drop(commands);
    assert_eq!(store.health().lost, 0);
}

#[test]
fn an_answer_that_cannot_be_put_back_is_counted() {
    let (go, going) = crossbeam_channel::bounded::<()>(0);
    let server = Server::answering(move |command| match command[0].as_str() {
        "BLPOP" => {
            going.recv().unwrap();
            Some(key_and_value("k", "late"))
        }
        "EVAL" => Some("-OOM command not allowed\r\n".to_owned()),
        _ => healthy(command),
    });
    let store = server.store();
    assert_eq!(store.pop(&["k"], within(1000)).unwrap(), None);
    go.send(()).unwrap();
    eventually(|| store.health().lost > 0);
    assert_eq!(store.health().lost, 1);
}

#[test]
fn the_connect_timeout_ends_a_login_long_before_the_deadline() {
    let silent = Server::start(|peer| peer.listen());
    let mut options = silent.options();
    options.connect_timeout = Duration::from_millis(150);
    let store = RedisReplyStore::new(options).unwrap();
    let start = Instant::now();
    assert!(errors(&store, 60_000).iter().all(|error| error.to_string().contains("did not answer in time")));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_server_that_dies_while_a_pop_waits_is_noticed() {
    let server = Server::answering(|command| healthy(command).filter(|_| command[0] != "BLPOP"));
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
    let server = Server::start(|peer| {
        while let Some(command) = peer.command() {
            match healthy(&command) {
                Some(answer) => peer.say(&answer),
                None => return peer.say("*2\r\n$1\r\nk\r\n$5\r\nha"),
            }
        }
    });
    let store = server.store();
    assert!(matches!(store.pop(&["k"], within(5000)), Err(Error::Unavailable { .. })));
    assert_eq!(server.count("BLPOP"), 1);
}

#[test]
fn blpop_zero_is_never_sent() {
    let server = Server::answering(|command| match command[0].as_str() {
        "BLPOP" => Some("*-1\r\n".to_owned()),
        _ => healthy(command),
    });
    let store = server.store();
    for micros in [1, 500, 2000, 30_000] {
        let _ = store.pop(&["k"], SystemClock.deadline(Duration::from_micros(micros)));
    }
    assert_eq!(store.pop(&["k"], within(30)).unwrap(), None);
    let commands = server.commands.lock().unwrap();
    let timeouts = commands.iter().filter(|words| words[0] == "BLPOP").map(|words| words[2].parse::<f64>().unwrap());
    assert!(timeouts.clone().count() > 1 && timeouts.clone().all(|timeout| timeout >= 0.01));
}

#[test]
fn checkout_does_not_ping_each_time() {
    let server = Server::answering(healthy);
    let clock = ManualClock::new();
    let mut options = server.options();
    options.clock = Arc::new(clock.clone());
    let store = RedisReplyStore::new(options).unwrap();
    let push = || store.push("k", b"v", TTL, clock.deadline(Duration::from_secs(5))).unwrap();
    for _ in 0..10 {
        push();
        clock.advance(Duration::from_secs(14));
    }
    assert_eq!(server.count("PING"), 0);
    clock.advance(Duration::from_secs(1));
    push();
    assert_eq!(server.count("PING"), 1);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    assert_eq!(server.count("AUTH"), 1);
}

#[test]
fn build_does_not_need_a_server() {
    let url = RedisUrl::parse(&format!("redis://:{CANARY}@127.0.0.1:1")).unwrap();
    let store = RedisReplyStore::new(RedisOptions::new(url, Arc::new(SystemClock))).unwrap();
    // Refused at once, each time, and not after a backoff.
    let start = Instant::now();
    for error in (0..10).flat_map(|_| errors(&store, 60_000)) {
        assert!(error.to_string().contains("is Redis running there?"), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn what_the_server_refuses_at_login_is_told_at_once() {
    let refusing = |to: &'static str, line: &'static str| {
        Server::answering(move |command| if command[0] == to { Some(format!("-{line}\r\n")) } else { healthy(command) })
    };
    let start = Instant::now();
    for (to, line, told) in [
        ("AUTH", "WRONGPASS invalid username-password pair", "check the user name and the password"),
        ("AUTH", "ERR Client sent AUTH, but no password is set", "no password set"),
        ("AUTH", "ERR unknown command `AUTH`, with args beginning with: `c4n4ry-s3cr3t`", "refused the login"),
        ("SELECT", "ERR DB index is out of range", "refused database 3"),
    ] {
        for error in errors(&refusing(to, line).store(), 60_000) {
            assert!(matches!(error, Error::Rejected { .. }) && error.to_string().contains(told), "{error}");
        }
    }
    let full = Server::start(|peer| peer.say("-ERR max number of clients reached\r\n"));
    assert!(errors(&full.store(), 60_000).iter().all(|error| matches!(error, Error::Unavailable { .. })));
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn an_unknown_host_is_named() {
    let url = RedisUrl::parse(&format!("redis://:{CANARY}@no-such-host.invalid")).unwrap();
    let store = RedisReplyStore::new(RedisOptions::new(url, Arc::new(SystemClock))).unwrap();
    for error in errors(&store, 2000) {
        assert!(error.is_timeout() || error.to_string().contains("no-such-host.invalid"), "{error}");
    }
}

#[test]
fn garbage_is_told_and_never_parsed_further() {
    for garbage in ["HTTP/1.1 400 Bad Request\r\n\r\n", "*99999999999\r\n", ":\r\n", &"*1\r\n".repeat(100_000)] {
        let garbage = garbage.to_owned();
        let server = Server::start(move |peer| {
            peer.say(&garbage);
            peer.listen();
        });
        for error in errors(&server.store(), 5000) {
            assert!(error.to_string().contains("does not speak as Redis does"), "{error}");
        }
    }
}

#[test]
fn a_value_over_the_limit_is_refused_before_it_is_read() {
    let server = Server::answering(|command| match command[0].as_str() {
        "BLPOP" => Some("*2\r\n$1\r\nk\r\n$2000\r\n".to_owned()),
        _ => healthy(command),
    });
    let mut options = server.options();
    options.max_reply = 1000;
    let error = RedisReplyStore::new(options).unwrap().pop(&["k"], within(5000)).unwrap_err();
    assert!(matches!(&error, Error::Rejected { why } if why.contains("max_reply")), "{error}");
}

#[test]
fn a_refused_push_leaves_the_connection_in_step() {
    let server = Server::answering(|command| match (command[0].as_str(), command.get(1).map(String::as_str)) {
        ("RPUSH", Some("full")) => Some("-OOM command not allowed\r\n".to_owned()),
        ("EXEC", _) => None,
        ("EXPIRE", Some("full")) => Some("+QUEUED\r\n-EXECABORT Transaction discarded\r\n".to_owned()),
        ("EXPIRE", _) => Some("+QUEUED\r\n*2\r\n:1\r\n:1\r\n".to_owned()),
        _ => healthy(command),
    });
    let store = server.store();
    let error = store.push("full", b"v", TTL, within(5000)).unwrap_err();
    assert!(error.to_string().contains("maxmemory"), "{error}");
    store.push("k", b"v", TTL, within(5000)).unwrap();
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_server_without_user_names_gets_the_password_alone() {
    let server = Server::answering(|command| match (command[0].as_str(), command.len()) {
        ("AUTH", 3) => Some("-ERR wrong number of arguments for 'auth' command\r\n".to_owned()),
        _ => healthy(command),
    });
    let url = RedisUrl::parse(&format!("redis://h:{CANARY}@{}", server.address)).unwrap();
    RedisReplyStore::new(RedisOptions::new(url, Arc::new(SystemClock))).unwrap().ping(within(5000)).unwrap();
    assert_eq!(server.count("AUTH"), 2);
}

#[test]
fn a_server_that_counts_whole_seconds_only_is_polled() {
    let looks = AtomicUsize::new(0);
    let server = Server::answering(move |command| match (command[0].as_str(), command.get(2)) {
        ("BLPOP", Some(timeout)) if timeout.contains('.') => {
            Some("-ERR timeout is not an integer or out of range\r\n".to_owned())
        }
        ("BLPOP", _) => Some("+QUEUED\r\n".to_owned()),
        ("EXEC", _) if looks.fetch_add(1, Ordering::SeqCst) < 3 => Some("*1\r\n*-1\r\n".to_owned()),
        ("EXEC", _) => Some(format!("*1\r\n{}", key_and_value("k", "v"))),
        _ => healthy(command),
    });
    assert_eq!(server.store().pop(&["k"], within(1400)).unwrap().unwrap().1, b"v");
}

#[test]
fn more_callers_than_connections_wait_their_turn_and_no_longer() {
    let server = Server::answering(|command| healthy(command).filter(|_| command[0] != "EXEC"));
    let mut options = server.options();
    options.pool_size = 1;
    let store = RedisReplyStore::new(options).unwrap();
    thread::scope(|scope| {
        let holding = scope.spawn(|| store.push("k", b"v", TTL, within(2000)).unwrap_err());
        eventually(|| server.count("EXEC") > 0);
        let error = store.push("k", b"v", TTL, within(50)).unwrap_err();
        assert_eq!(error.to_string(), "the deadline passed while waiting for a free connection");
        assert!(holding.join().unwrap().is_timeout());
    });
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let options = || RedisOptions::new(RedisUrl::parse("redis://h").unwrap(), Arc::new(SystemClock));
    let mut none = options();
    none.pool_size = 0;
    assert!(matches!(RedisReplyStore::new(none), Err(Error::Config { .. })));
    let mut none = options();
    none.connect_timeout = Duration::ZERO;
    assert!(matches!(RedisReplyStore::new(none), Err(Error::Config { .. })));
}

/// Everything that is logged in this process, at every level.
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
fn debug_hides_the_password() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&LOG).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
    });
    let server = Server::answering(|command| match command[0].as_str() {
        "BLPOP" => Some("-ERR unknown command 'BLPOP', with args beginning with: 'c4n4ry-s3cr3t' ".to_owned() + "\r\n"),
        _ => healthy(command),
    });
    let options = server.options();
    let store = RedisReplyStore::new(options.clone()).unwrap();
    store.push(CANARY, CANARY.as_bytes(), TTL, within(5000)).unwrap();
    let refused = store.pop(&[CANARY], within(5000)).unwrap_err();
    let place = server.address;
    drop(server);
    let lost = store.ping(within(5000)).unwrap_err();
    let shown = format!("{:?} {options:?} {store:?} {refused} {refused:?} {lost} {lost:?}", options.url);
    assert!(!shown.contains(CANARY), "{shown}");
    assert!(shown.contains(&format!("redis://:***@{place}/3")), "{shown}");
    let logged = LOG.0.lock().unwrap();
    assert!(logged.contains(&place.to_string()), "nothing was logged");
    assert!(!logged.contains(CANARY), "{logged}");
}
