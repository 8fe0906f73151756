//! Fake Redis servers for the tests of this module: in this process, on a free port, with the replies that a test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use zc_events_protocol::{Clock, Deadline, ManualClock, SystemClock};

use super::{RedisOptions, RedisReplyStore, RedisUrl};
use crate::{Error, ReplyStore, Result};

/// The password in all tests. No error, log line or `Debug` output may show it.
pub(super) const CANARY: &str = "c4n4ry-s3cr3t";

/// A server. Dropping it closes its listener and its connections.
pub(super) struct FakeServer {
    pub(super) address: SocketAddr,
    pub(super) connections: Arc<AtomicUsize>,
    pub(super) commands: Arc<Mutex<Vec<Vec<String>>>>,
    stop: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

/// One connection, from the server's side.
pub(super) struct Peer {
    pub(super) number: usize,
    pub(super) stream: TcpStream,
    reader: BufReader<TcpStream>,
    commands: Arc<Mutex<Vec<Vec<String>>>>,
}

impl FakeServer {
    /// Runs `serve` on a thread for each connection; the connection is closed when it returns.
    pub(super) fn start(serve: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            commands: Arc::default(),
            stop: Arc::default(),
            open: Arc::default(),
        };
        let (connections, commands) = (Arc::clone(&server.connections), Arc::clone(&server.commands));
        let (stop, open) = (Arc::clone(&server.stop), Arc::clone(&server.open));
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let number = connections.fetch_add(1, Ordering::SeqCst);
                stream.set_nodelay(true).unwrap();
                open.lock().unwrap().push(stream.try_clone().unwrap());
                let reader = BufReader::new(stream.try_clone().unwrap());
                let mut peer = Peer { number, stream, reader, commands: Arc::clone(&commands) };
                let serve = Arc::clone(&serve);
                thread::spawn(move || {
                    serve(&mut peer);
                    let _ = peer.stream.shutdown(std::net::Shutdown::Both);
                });
            }
        });
        server
    }

    /// Replies to each command with the result of `answer`; `None` is no reply.
    pub(super) fn answering(answer: impl Fn(&[String]) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::start(move |peer| {
            while let Some(command) = peer.command() {
                if let Some(answer) = answer(&command) {
                    peer.say(&answer);
                }
            }
        })
    }

    pub(super) fn url(&self) -> String {
        format!("redis://:{CANARY}@{}/3", self.address)
    }

    pub(super) fn options(&self) -> RedisOptions {
        RedisOptions::new(RedisUrl::parse(&self.url()).unwrap(), Arc::new(SystemClock))
    }

    pub(super) fn store(&self) -> RedisReplyStore {
        RedisReplyStore::new(self.options()).unwrap()
    }

    /// A store whose calls end by this clock.
    pub(super) fn store_with(&self, clock: &ManualClock) -> RedisReplyStore {
        let mut options = self.options();
        options.clock = Arc::new(clock.clone());
        RedisReplyStore::new(options).unwrap()
    }

    /// How many commands of this name have come.
    pub(super) fn count(&self, name: &str) -> usize {
        self.commands.lock().unwrap().iter().filter(|words| words[0] == name).count()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Peer {
    /// The next command, `None` at the end.
    pub(super) fn command(&mut self) -> Option<Vec<String>> {
        let count = self.number(b'*')?;
        let mut words = Vec::new();
        for _ in 0..count {
            let mut word = vec![0; self.number(b'$')? + 2];
            self.reader.read_exact(&mut word).ok()?;
            word.truncate(word.len() - 2);
            words.push(String::from_utf8_lossy(&word).into_owned());
        }
        self.commands.lock().unwrap().push(words.clone());
        Some(words)
    }

    fn number(&mut self, kind: u8) -> Option<usize> {
        let mut line = String::new();
        self.reader.read_line(&mut line).ok()?;
        assert!(line.is_empty() || line.as_bytes()[0] == kind, "{line:?}");
        line.get(1..)?.trim_end().parse().ok()
    }

    pub(super) fn say(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes());
    }

    /// Reads until the client closes, and sends nothing.
    pub(super) fn listen(&mut self) {
        let _ = std::io::copy(&mut self.reader, &mut std::io::sink());
    }
}

/// The replies of a healthy server without values. BLPOP is left to the test.
pub(super) fn healthy(command: &[String]) -> Option<String> {
    Some(
        match command[0].as_str() {
            "AUTH" | "SELECT" | "MULTI" => "+OK\r\n",
            "PING" => "+PONG\r\n",
            "RPUSH" | "EXPIRE" => "+QUEUED\r\n",
            "EXEC" => "*2\r\n:1\r\n:1\r\n",
            "LPOP" => "$-1\r\n",
            "EVAL" => ":1\r\n",
            _ => return None,
        }
        .to_owned(),
    )
}

pub(super) fn within(millis: u64) -> Deadline {
    SystemClock.deadline(Duration::from_millis(millis))
}

/// Waits until `condition` holds.
#[track_caller]
pub(super) fn eventually(condition: impl Fn() -> bool) {
    let deadline = within(20_000);
    while !condition() {
        assert!(!deadline.has_passed(&SystemClock), "it did not happen within 20 s");
        thread::yield_now();
    }
}

/// The reply to a BLPOP that found a value.
pub(super) fn key_and_value(key: &str, value: &str) -> String {
    format!("*2\r\n${}\r\n{key}\r\n${}\r\n{value}\r\n", key.len(), value.len())
}

/// The ttl of pushed values, in tests that do not depend on it.
pub(super) const TTL: Duration = Duration::from_secs(60);

/// How long after its deadline a call may end, on a busy machine. Without its deadline the call would never end.
const MARGIN: Duration = Duration::from_secs(20);

type Call = fn(&RedisReplyStore, Deadline) -> Result<()>;

const CALLS: [(&str, Call); 3] = [
    ("push", |store, deadline| store.push("k", b"v", TTL, deadline)),
    ("pop", |store, deadline| store.pop(&["k"], deadline).map(drop)),
    ("ping", |store, deadline| store.ping(deadline)),
];

/// The error of each kind of call. It must come by the deadline and hide the password.
pub(super) fn errors(store: &RedisReplyStore, millis: u64) -> Vec<Error> {
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

/// A pop whose deadline passes after the server has received its BLPOP.
pub(super) fn pop_that_leaves(
    server: &FakeServer,
    store: &RedisReplyStore,
    clock: &ManualClock,
    key: &str,
    after: Duration,
) -> Result<Option<(String, Vec<u8>)>> {
    let before = server.count("BLPOP");
    let deadline = clock.deadline(after);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| store.pop(&[key], deadline));
        eventually(|| server.count("BLPOP") > before);
        clock.advance(after);
        waiting.join().unwrap()
    })
}
