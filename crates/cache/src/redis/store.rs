//! The contract on Redis: which commands are sent, and what their answers mean. How they
//! travel is the business of the modules beside it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use r2d2_redis::redis::{Cmd, RedisError, Value, cmd, pipe};
use zc_events_protocol::clock::pause;
use zc_events_protocol::{Clock, Deadline, Stage};

use super::RedisOptions;
use super::connect::Connector;
use super::link::{Link, Trouble};
use super::pool::{Lease, Pool};
use super::{records, refusal};
use crate::store::{some_keys, whole_millis, whole_seconds};
use crate::{Claim, Error, ReplyStore, Result};

/// How long one BLPOP waits at most: after that the server shows that it lives.
const SLICE: Duration = Duration::from_secs(1);
/// How long, when others wait for the connection.
const CROWDED_SLICE: Duration = Duration::from_millis(100);
/// The shortest BLPOP. Zero would wait for ever.
const SHORTEST: Duration = Duration::from_millis(10);
/// How much longer than the caller's deadline the end of a BLPOP may take to arrive.
const GRACE: Duration = Duration::from_millis(300);
/// How late the end of a BLPOP may come while the caller's deadline is far.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a server that cannot count parts of a second is asked instead.
const POLL: Duration = Duration::from_millis(20);

/// Lists of answers on a Redis server (6.0 or newer; older ones are polled in the last second
/// of a wait). Clones share the connections.
///
/// A push is `MULTI`, `RPUSH`, `EXPIRE`, `EXEC` in one go; a pop is a `BLPOP` of at most a
/// second, again and again. Nothing is retried after it may have reached the server: when
/// a connection is lost in the middle of a pop, a value may have been taken and lost.
///
/// ```no_run
/// use std::sync::Arc;
/// use std::time::Duration;
/// use zc_events_cache::ReplyStore;
/// use zc_events_cache::redis::{RedisOptions, RedisReplyStore, RedisUrl};
/// use zc_events_protocol::{Clock, SystemClock};
///
/// let url = RedisUrl::parse("redis://localhost/1")?;
/// let store = RedisReplyStore::new(RedisOptions::new(url, Arc::new(SystemClock)))?;
/// let deadline = SystemClock.deadline(Duration::from_secs(5));
/// store.push("request-1", b"{}", Duration::from_secs(60), deadline)?;
/// assert!(store.pop(&["request-1"], deadline)?.is_some());
/// # Ok::<(), zc_events_cache::Error>(())
/// ```
#[derive(Clone)]
pub struct RedisReplyStore(Arc<Shared>);

struct Shared {
    connector: Arc<Connector>,
    /// For what is answered at once.
    brief: Pool,
    /// For what waits.
    waiting: Pool,
    /// Whether the server is older than Redis 6.
    whole_seconds: AtomicBool,
}

impl RedisReplyStore {
    /// A store on the server of `options`. Never connects: a server that is down shows in
    /// the first call, and each call says why.
    ///
    /// # Errors
    /// [`Config`](Error::Config) for a pool of no connections or no time to connect.
    pub fn new(options: RedisOptions) -> Result<Self> {
        let RedisOptions { url, pool_size, connect_timeout, max_reply, clock } = options;
        if pool_size == 0 {
            return Err(Error::Config { why: "pool_size must be at least 1".to_owned() });
        }
        if connect_timeout.is_zero() {
            return Err(Error::Config { why: "connect_timeout must be more than zero".to_owned() });
        }
        let connector = Arc::new(Connector::new(url, clock, connect_timeout, max_reply));
        Ok(Self(Arc::new(Shared {
            brief: Pool::new(Arc::clone(&connector), pool_size),
            waiting: Pool::new(Arc::clone(&connector), pool_size),
            connector,
            whole_seconds: AtomicBool::new(false),
        })))
    }
}

impl ReplyStore for RedisReplyStore {
    fn push(&self, key: &str, value: &[u8], ttl: Duration, deadline: Deadline) -> Result<()> {
        let mut pipeline = pipe();
        pipeline.atomic().cmd("RPUSH").arg(key).arg(value).cmd("EXPIRE").arg(key).arg(whole_seconds(ttl));
        let request = Request { bytes: pipeline.get_packed_pipeline(), answers: 4, doing: "pushing an answer" };
        self.0.brief(&request, deadline, deadline, |answers| match answers.as_slice() {
            [.., Value::Bulk(done)] if matches!(done.as_slice(), [Value::Int(1..), Value::Int(1)]) => Ok(()),
            _ => Err(Trouble::Garbage),
        })
    }

    fn pop(&self, keys: &[&str], deadline: Deadline) -> Result<Option<(String, Vec<u8>)>> {
        some_keys(keys)?;
        let clock = self.0.clock();
        if deadline.has_passed(clock) {
            return self.0.look(keys, deadline);
        }
        loop {
            let remaining = deadline.remaining(clock);
            let found = if self.0.whole_seconds.load(Ordering::Relaxed) && remaining < SLICE * 3 / 2 {
                self.0.poll(keys, deadline)?
            } else {
                self.0.wait(keys, remaining, deadline)?
            };
            if found.is_some() || deadline.has_passed(clock) {
                return Ok(found);
            }
        }
    }

    fn ping(&self, deadline: Deadline) -> Result<()> {
        self.0.one(&cmd("PING"), "asking PING", deadline, |answer| match answer {
            Value::Status(word) if word == "PONG" => Ok(()),
            _ => Err(Trouble::Garbage),
        })
    }

    fn claim(&self, key: &str, owner: &str, lease: Duration, deadline: Deadline) -> Result<Claim> {
        let command = records::claim(key, owner, whole_millis(lease));
        self.0.one(&command, "claiming a piece of work", deadline, records::claimed)
    }

    fn renew(&self, key: &str, owner: &str, lease: Duration, deadline: Deadline) -> Result<bool> {
        let command = records::renew(key, owner, whole_millis(lease));
        self.0.one(&command, "renewing a lease", deadline, |answer| records::done(&answer))
    }

    fn complete(&self, key: &str, owner: &str, record: &[u8], ttl: Duration, deadline: Deadline) -> Result<bool> {
        let command = records::complete(key, owner, record, whole_millis(ttl));
        self.0.one(&command, "recording a completion", deadline, |answer| records::done(&answer))
    }

    fn release(&self, key: &str, owner: &str, deadline: Deadline) -> Result<()> {
        let command = records::release(key, owner);
        self.0.one(&command, "releasing a lease", deadline, |answer| records::done(&answer).map(drop))
    }
}

impl Shared {
    fn clock(&self) -> &dyn Clock {
        &*self.connector.clock
    }

    fn trouble(&self, doing: &str, deadline: Deadline, trouble: Trouble) -> Error {
        self.connector.trouble(doing, Stage::Store, deadline, trouble)
    }

    fn refused(&self, link: &mut Link, doing: &str, error: &RedisError) -> Error {
        if refusal::ends_connection(error) {
            link.spoil();
        }
        refusal::refused(&self.connector.url, doing, error)
    }

    /// Sends what is answered at once and reads its answers; the first refusal among them
    /// is the error.
    fn brief<T>(
        &self,
        request: &Request,
        deadline: Deadline,
        until: Deadline,
        read: impl FnOnce(Vec<Value>) -> std::result::Result<T, Trouble>,
    ) -> Result<T> {
        let trouble = |trouble| self.trouble(request.doing, deadline, trouble);
        let mut lease = self.brief.lend(deadline)?;
        let link = lease.link()?;
        let answers = link.call(&request.bytes, request.answers, self.clock(), until).map_err(trouble)?;
        let answers: std::result::Result<Vec<Value>, RedisError> = answers.into_iter().collect();
        let answers = answers.map_err(|error| self.refused(link, request.doing, &error))?;
        read(answers).map_err(|wrong| {
            link.spoil();
            trouble(wrong)
        })
    }

    /// Sends one command that is answered at once.
    fn one<T>(
        &self,
        command: &Cmd,
        doing: &'static str,
        deadline: Deadline,
        read: impl FnOnce(Value) -> std::result::Result<T, Trouble>,
    ) -> Result<T> {
        let request = Request { bytes: command.get_packed_command(), answers: 1, doing };
        self.brief(&request, deadline, deadline, |mut answers| read(answers.pop().unwrap_or(Value::Nil)))
    }

    /// Takes what is there, without waiting: in a transaction BLPOP does not wait, and
    /// of several keys it takes from the first only.
    fn look(&self, keys: &[&str], deadline: Deadline) -> Result<Option<(String, Vec<u8>)>> {
        let mut pipeline = pipe();
        pipeline.atomic().add_command(blpop(keys, SLICE));
        let request = Request { bytes: pipeline.get_packed_pipeline(), answers: 3, doing: "looking for an answer" };
        let from = deadline.max(self.clock().deadline(Duration::ZERO));
        self.brief(&request, deadline, Deadline::at(from.instant() + GRACE), |mut answers| match answers.pop() {
            Some(Value::Bulk(mut done)) if done.len() == 1 => found(done.pop().unwrap_or(Value::Nil), keys),
            _ => Err(Trouble::Garbage),
        })
    }

    /// Looks, again and again, until the deadline.
    fn poll(&self, keys: &[&str], deadline: Deadline) -> Result<Option<(String, Vec<u8>)>> {
        let (_never, interrupt) = crossbeam_channel::bounded(0);
        loop {
            let found = self.look(keys, deadline)?;
            if found.is_some() || deadline.has_passed(self.clock()) {
                return Ok(found);
            }
            pause(self.clock(), deadline.min(self.clock().deadline(POLL)), &interrupt);
        }
    }

    /// Waits for a slice of the time.
    fn wait(&self, keys: &[&str], remaining: Duration, deadline: Deadline) -> Result<Option<(String, Vec<u8>)>> {
        let doing = "waiting for an answer, which may have been taken and lost,";
        let mut lease: Lease = match self.waiting.lend(deadline) {
            // The others kept the connections until the end; what is there can still be taken.
            Err(Error::Timeout { stage: Stage::Pool }) => return self.look(keys, deadline),
            lease => lease?,
        };
        let link = lease.link()?;
        let slice = match remaining {
            remaining if self.waiting.is_crowded() => remaining.min(CROWDED_SLICE),
            // Not a second and then a rest too short to wait for.
            remaining if remaining < SLICE * 3 / 2 => remaining,
            _ => SLICE,
        }
        .max(SHORTEST);
        let until = self.patience(slice, deadline);
        let answer = self.connector.ask(link, &blpop(keys, slice), until);
        match answer {
            Ok(Ok(value)) => found(value, keys).map_err(|trouble| {
                link.spoil();
                self.trouble(doing, deadline, trouble)
            }),
            Ok(Err(error)) if refusal::wants_whole_seconds(&error) => {
                self.whole_seconds.store(true, Ordering::Relaxed);
                Ok(None)
            }
            Ok(Err(error)) => Err(self.refused(link, "to wait for an answer", &error)),
            Err(trouble) => Err(self.trouble(doing, deadline, trouble)),
        }
    }

    /// Until when the end of a BLPOP of `slice` from now must have arrived.
    fn patience(&self, slice: Duration, deadline: Deadline) -> Deadline {
        let end = self.clock().deadline(slice).instant();
        Deadline::at((end + PATIENCE).min(deadline.instant().max(end) + GRACE))
    }
}

/// What is sent in one go, and how many answers it has.
struct Request {
    bytes: Vec<u8>,
    answers: usize,
    doing: &'static str,
}

/// BLPOP in whole seconds where they are, which servers older than Redis 6 understand too;
/// otherwise in milliseconds, rounded up. Never zero.
fn blpop(keys: &[&str], slice: Duration) -> Cmd {
    let slice = slice.max(SHORTEST);
    let mut command = cmd("BLPOP");
    command.arg(keys);
    if slice.subsec_nanos() == 0 {
        command.arg(slice.as_secs());
    } else {
        let millis = slice.as_nanos().div_ceil(1_000_000);
        command.arg(format!("{}.{:03}", millis / 1000, millis % 1000));
    }
    command
}

/// What a BLPOP says, if it is about a key that was asked for.
fn found(value: Value, keys: &[&str]) -> std::result::Result<Option<(String, Vec<u8>)>, Trouble> {
    let mut pair = match value {
        Value::Nil => return Ok(None),
        Value::Bulk(pair) => pair.into_iter(),
        _ => return Err(Trouble::Garbage),
    };
    match (pair.next(), pair.next(), pair.next()) {
        (Some(Value::Data(key)), Some(Value::Data(value)), None) => {
            let key = keys.iter().find(|asked| asked.as_bytes() == key).ok_or(Trouble::Garbage)?;
            Ok(Some(((*key).to_owned(), value)))
        }
        _ => Err(Trouble::Garbage),
    }
}

impl fmt::Debug for RedisReplyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisReplyStore")
            .field("url", &self.0.connector.url)
            .field("brief", &self.0.brief)
            .field("waiting", &self.0.waiting)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout(slice: Duration) -> String {
        let packed = blpop(&["k"], slice).get_packed_command();
        String::from_utf8(packed).unwrap().trim_end().rsplit("\r\n").next().unwrap().to_owned()
    }

    #[test]
    fn blpop_zero_is_never_sent() {
        assert_eq!(timeout(Duration::ZERO), "0.010");
        assert_eq!(timeout(Duration::from_nanos(1)), "0.010");
        assert_eq!(timeout(Duration::from_micros(10_001)), "0.011");
        assert_eq!(timeout(Duration::from_millis(999)), "0.999");
        assert_eq!(timeout(Duration::from_nanos(999_999_999)), "1.000");
        assert_eq!(timeout(SLICE), "1");
        assert_eq!(timeout(Duration::from_millis(1450)), "1.450");
    }

    #[test]
    fn only_a_key_that_was_asked_for_is_found() {
        let pair = |key: &str| Value::Bulk(vec![Value::Data(key.into()), Value::Data(vec![1])]);
        assert_eq!(found(pair("b"), &["a", "b"]).unwrap(), Some(("b".to_owned(), vec![1])));
        assert_eq!(found(Value::Nil, &["a"]).unwrap(), None);
        for wrong in [pair("c"), Value::Okay, Value::Int(1), Value::Bulk(vec![]), Value::Bulk(vec![Value::Nil; 2])] {
            assert!(matches!(found(wrong, &["a", "b"]), Err(Trouble::Garbage)));
        }
    }
}
