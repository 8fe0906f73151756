//! The contract on Redis: which commands are sent, and what their answers mean. How they
//! travel is the business of the modules beside it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use r2d2_redis::redis::{Cmd, RedisError, Value, cmd, pipe};
use zc_events_protocol::clock::pause;
use zc_events_protocol::{Clock, Deadline, Stage};

use super::commands::{BATCH, OVERDUE, PATIENCE, SLICE, blpop, found};
use super::connect::Connector;
use super::crowd::{Crowd, WAKE};
use super::late::Late;
use super::link::{Link, Trouble};
use super::pool::{Lease, Pool};
use super::sweep::sweep;
use super::watch::Watch;
use super::{RedisOptions, WAITING, inspect, records, refusal};
use crate::store::{some_keys, whole_millis, whole_seconds};
use crate::waiters::Found;
use crate::{Claim, Error, ReplyStore, Result, StoreHealth, StoreInspection, Taken};

/// How long a look that came at the end may still take.
const GRACE: Duration = Duration::from_millis(30);
/// How often a server that cannot count parts of a second is asked instead.
const POLL: Duration = Duration::from_millis(20);

/// Lists of answers on a Redis server (6.0 or newer; older ones are polled in the last second
/// of a wait). Clones share the connections.
///
/// A push is `MULTI`, `RPUSH`, `EXPIRE`, `EXEC` in one go; a pop is a `BLPOP` of at most a
/// second, again and again; a call about a record is one script. Nothing is retried after it may have
/// reached the server: when a connection is lost in the middle of a pop, a value may have been taken and lost.
/// Any number of calls may wait at the same time, whatever the size of the pool.
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
    /// For what waits, as far as it goes,
    waiting: Pool,
    /// for whoever finds none of these free,
    crowd: Crowd,
    /// and for what comes when a caller has left.
    late: Late,
    watch: Arc<Watch>,
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
        let watch = Arc::new(Watch::default());
        Ok(Self(Arc::new(Shared {
            brief: Pool::new(Arc::clone(&connector), pool_size),
            waiting: Pool::new(Arc::clone(&connector), pool_size),
            crowd: Crowd::new(Arc::clone(&connector), Arc::clone(&watch)),
            late: Late::new(Arc::clone(&connector), Arc::clone(&watch)),
            watch,
            connector,
            whole_seconds: AtomicBool::new(false),
        })))
    }
}

impl ReplyStore for RedisReplyStore {
    fn push(&self, key: &str, value: &[u8], ttl: Duration, deadline: Deadline) -> Result<()> {
        self.0.push(key, value, ttl, deadline)
    }

    fn pop(&self, keys: &[&str], deadline: Deadline) -> Result<Option<Found>> {
        some_keys(keys)?;
        let _waiting = self.0.watch.wait();
        let result = self.0.wait(keys, deadline);
        // That nothing came may also mean that the server is silent.
        if let Ok(None) = result { result } else { self.0.noted(result) }
    }

    fn take(&self, keys: &[&str], deadline: Deadline) -> Result<Vec<Taken>> {
        let mut all = Vec::new();
        for batch in keys.chunks(BATCH) {
            match self.0.brief.lend(deadline).and_then(|lease| sweep(&self.0.connector, lease, batch, deadline)) {
                Ok(taken) => all.extend(taken),
                // What was taken is not to be lost with it.
                Err(_) if !all.is_empty() => break,
                failed => return self.0.noted(failed),
            }
        }
        self.0.noted(Ok(all))
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

    fn inspect(&self, deadline: Deadline) -> Result<StoreInspection> {
        self.ping(deadline)?;
        let info = self.0.one(&cmd("INFO"), "asking INFO", deadline, |answer| inspect::info(&answer));
        let time = self.0.one(&cmd("TIME"), "asking TIME", deadline, |answer| inspect::time(&answer));
        let info = if_allowed(info)?.unwrap_or_default();
        Ok(StoreInspection { time: if_allowed(time)?, ..info })
    }

    fn health(&self) -> StoreHealth {
        self.0.watch.health()
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
        read: impl FnOnce(Vec<Value>) -> std::result::Result<T, Trouble>,
    ) -> Result<T> {
        let result = if deadline.has_passed(self.clock()) {
            Err(Error::Timeout { stage: Stage::Pool })
        } else {
            self.brief_until(request, deadline, deadline, read)
        };
        self.noted(result)
    }

    fn brief_until<T>(
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
        self.brief(&request, deadline, |mut answers| read(answers.pop().unwrap_or(Value::Nil)))
    }

    /// Takes what is there, without waiting: in a transaction BLPOP does not wait, and
    /// of several keys it takes from the first only.
    fn look(&self, keys: &[&str], deadline: Deadline) -> Result<Option<Found>> {
        let mut pipeline = pipe();
        pipeline.atomic().add_command(blpop(keys, SLICE));
        let request = Request { bytes: pipeline.get_packed_pipeline(), answers: 3, doing: "looking for an answer" };
        let from = deadline.max(self.clock().deadline(Duration::ZERO));
        self.brief_until(&request, deadline, Deadline::at(from.instant() + GRACE), |mut answers| match answers.pop() {
            Some(Value::Bulk(mut done)) if done.len() == 1 => found(done.pop().unwrap_or(Value::Nil), keys),
            _ => Err(Trouble::Garbage),
        })
    }

    /// Looks, again and again, until the deadline.
    fn poll(&self, keys: &[&str], deadline: Deadline) -> Result<Option<Found>> {
        let (_never, interrupt) = crossbeam_channel::bounded(0);
        loop {
            let found = self.look(keys, deadline)?;
            if found.is_some() || deadline.has_passed(self.clock()) {
                return Ok(found);
            }
            pause(self.clock(), deadline.min(self.clock().deadline(POLL)), &interrupt);
        }
    }

    /// Waits on a connection of its own. The call ends at its deadline; a BLPOP that is still
    /// out then is left to `late`.
    fn wait_alone(&self, mut lease: Lease, keys: &[&str], deadline: Deadline) -> Result<Option<Found>> {
        let clock = self.clock();
        loop {
            let remaining = deadline.remaining(clock);
            if self.whole_seconds.load(Ordering::Relaxed) && remaining < SLICE * 3 / 2 {
                drop(lease);
                return self.poll(keys, deadline);
            }
            // Not a second and then a rest too short to wait for.
            let slice = if remaining < SLICE * 3 / 2 { remaining } else { SLICE };
            let slice_end = clock.deadline(slice).instant();
            let patience = Deadline::at(slice_end + PATIENCE);
            let link = lease.link()?;
            let mut answer = None;
            let request = blpop(keys, slice).get_packed_command();
            link.send(&request, clock, patience).map_err(|trouble| self.trouble(WAITING, deadline, trouble))?;
            let result = link.receive(1, clock, deadline.min(patience), |taken| answer = Some(taken));
            let value = match (result, answer) {
                (Ok(()), Some(Ok(value))) => value,
                (Ok(()), Some(Err(error))) if refusal::wants_whole_seconds(&error) => {
                    self.whole_seconds.store(true, Ordering::Relaxed);
                    continue;
                }
                (_, Some(Err(error))) => return Err(self.refused(link, "to wait for an answer", &error)),
                (Err(Trouble::TimedOut), None) if deadline.has_passed(clock) => {
                    self.late.adopt(lease, keys);
                    let stalled = clock.now() > slice_end + OVERDUE;
                    return if stalled { Err(Error::Timeout { stage: Stage::Store }) } else { Ok(None) };
                }
                (Err(trouble), _) => return Err(self.trouble(WAITING, deadline, trouble)),
                (Ok(()), None) => return Err(self.trouble(WAITING, deadline, Trouble::Garbage)),
            };
            let found = found(value, keys).map_err(|trouble| {
                link.spoil();
                self.trouble(WAITING, deadline, trouble)
            })?;
            if found.is_some() || deadline.has_passed(clock) {
                return Ok(found);
            }
        }
    }

    fn wait(&self, keys: &[&str], deadline: Deadline) -> Result<Option<Found>> {
        if deadline.has_passed(self.clock()) {
            return self.look(keys, deadline);
        }
        match self.waiting.lend_at_once(deadline)? {
            Some(lease) => self.wait_alone(lease, keys, deadline),
            None => self.crowd.wait(keys, deadline, |key| {
                let until = deadline.min(self.clock().deadline(WAKE));
                self.push(key, b"", WAKE, until)
            }),
        }
    }

    fn push(&self, key: &str, value: &[u8], ttl: Duration, deadline: Deadline) -> Result<()> {
        let mut pipeline = pipe();
        pipeline.atomic().cmd("RPUSH").arg(key).arg(value).cmd("EXPIRE").arg(key).arg(whole_seconds(ttl));
        let request = Request { bytes: pipeline.get_packed_pipeline(), answers: 4, doing: "pushing an answer" };
        self.brief(&request, deadline, |answers| match answers.as_slice() {
            [.., Value::Bulk(done)] if matches!(done.as_slice(), [Value::Int(1..), Value::Int(1)]) => Ok(()),
            _ => Err(Trouble::Garbage),
        })
    }

    fn noted<T>(&self, result: Result<T>) -> Result<T> {
        match &result {
            Ok(_) => self.watch.answered(&self.connector.url),
            Err(error) => self.watch.failed(&self.connector.url, self.clock(), error),
        }
        result
    }
}

/// What a server that answers others has told; `None` where it refuses this question.
fn if_allowed<T>(told: Result<T>) -> Result<Option<T>> {
    match told {
        Err(Error::Rejected { .. }) => Ok(None),
        told => told.map(Some),
    }
}

/// What is sent in one go, and how many answers it has.
struct Request {
    bytes: Vec<u8>,
    answers: usize,
    doing: &'static str,
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
