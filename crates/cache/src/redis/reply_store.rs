//! The contract on Redis: which commands are sent, and how their replies are read. The files beside it send them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use r2d2_redis::redis::{Cmd, RedisError, Value, cmd, pipe};
use zc_events_protocol::{Clock, Deadline, Stage};

use super::blpop::{OVERDUE, blpop, found};
use super::connection::RedisConnection;
use super::connector::RedisConnector;
use super::health_tracker::HealthTracker;
use super::io_failure::IoFailure;
use super::lpop_many::{BATCH, lpop_many};
use super::options::RedisOptions;
use super::pool::RedisPool;
use super::shared_waiters::SharedWaiters;
use super::{error_mapping, record_scripts, server_info};
use crate::store::{some_keys, whole_millis, whole_seconds};
use crate::waiters::Found;
use crate::{Claim, Error, ReplyStore, Result, StoreHealth, StoreInspection, Taken};

/// How long a pop may still look for a value after its deadline.
const GRACE: Duration = Duration::from_millis(30);
/// How long the token of the wake channel lives.
const WAKE_TTL: Duration = Duration::from_secs(1);

/// Lists of answers on a Redis server. Clones share the connections.
///
/// A push is `MULTI`, `RPUSH`, `EXPIRE`, `EXEC`, sent in one go. Waiting calls share connections, on which `BLPOP` waits for
/// a second at most, again and again. A call about a record is one script. No command is sent again after it may have
/// reached the server: when a connection is lost while calls wait on it, a value may have been taken and lost.
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
pub struct RedisReplyStore(Arc<RedisStoreState>);

struct RedisStoreState {
    connector: Arc<RedisConnector>,
    /// For commands that the server replies to at once.
    pool: RedisPool,
    /// For calls that wait for answers, with a pool of their own, so that pushes never wait for them.
    waiters: SharedWaiters,
    health: Arc<HealthTracker>,
}

impl RedisReplyStore {
    /// A store on the server of `options`. Does not connect: the first call that cannot reach the server says why.
    ///
    /// # Errors
    /// [`Config`](Error::Config) for a pool of 0 connections, or a connect timeout of 0.
    pub fn new(options: RedisOptions) -> Result<Self> {
        let RedisOptions { url, pool_size, connect_timeout, max_reply, clock } = options;
        if pool_size == 0 {
            return Err(Error::Config { why: "pool_size must be at least 1".to_owned() });
        }
        if connect_timeout.is_zero() {
            return Err(Error::Config { why: "connect_timeout must be more than zero".to_owned() });
        }
        let connector = Arc::new(RedisConnector::new(url, clock, connect_timeout, max_reply));
        let health = Arc::new(HealthTracker::default());
        let pool = || RedisPool::new(Arc::clone(&connector), pool_size);
        let (pool, waiting_pool) = (pool(), pool());
        let waiters = SharedWaiters::new(waiting_pool, pool_size, &health);
        Ok(Self(Arc::new(RedisStoreState { connector, pool, waiters, health })))
    }
}

impl ReplyStore for RedisReplyStore {
    fn push(&self, key: &str, value: &[u8], ttl: Duration, deadline: Deadline) -> Result<()> {
        self.0.push(key, value, ttl, deadline)
    }

    fn pop(&self, keys: &[&str], deadline: Deadline) -> Result<Option<Found>> {
        some_keys(keys)?;
        let _waiting = self.0.health.waiting_call();
        let result = self.0.wait(keys, deadline);
        // No value may also mean that the server is silent.
        if let Ok(None) = result { result } else { self.0.noted(result) }
    }

    fn take(&self, keys: &[&str], deadline: Deadline) -> Result<Vec<Taken>> {
        let mut all = Vec::new();
        for batch in keys.chunks(BATCH) {
            match self.0.take(batch, deadline) {
                Ok(taken) => all.extend(taken),
                // The values that were taken before must not be lost.
                Err(_) if !all.is_empty() => break,
                failed => return self.0.noted(failed),
            }
        }
        self.0.noted(Ok(all))
    }

    fn ping(&self, deadline: Deadline) -> Result<()> {
        self.0.one(&cmd("PING"), "asking PING", deadline, |reply| match reply {
            Value::Status(word) if word == "PONG" => Ok(()),
            _ => Err(IoFailure::Garbage),
        })
    }

    fn claim(&self, key: &str, owner: &str, lease: Duration, deadline: Deadline) -> Result<Claim> {
        let command = record_scripts::claim(key, owner, whole_millis(lease));
        self.0.one(&command, "claiming a piece of work", deadline, record_scripts::claimed)
    }

    fn renew(&self, key: &str, owner: &str, lease: Duration, deadline: Deadline) -> Result<bool> {
        let command = record_scripts::renew(key, owner, whole_millis(lease));
        self.0.one(&command, "renewing a lease", deadline, |reply| record_scripts::done(&reply))
    }

    fn complete(&self, key: &str, owner: &str, record: &[u8], ttl: Duration, deadline: Deadline) -> Result<bool> {
        let command = record_scripts::complete(key, owner, record, whole_millis(ttl));
        self.0.one(&command, "recording a completion", deadline, |reply| record_scripts::done(&reply))
    }

    fn release(&self, key: &str, owner: &str, deadline: Deadline) -> Result<()> {
        let command = record_scripts::release(key, owner);
        self.0.one(&command, "releasing a lease", deadline, |reply| record_scripts::done(&reply).map(drop))
    }

    fn inspect(&self, deadline: Deadline) -> Result<StoreInspection> {
        self.ping(deadline)?;
        let info = self.0.one(&cmd("INFO"), "asking INFO", deadline, |reply| server_info::info(&reply));
        let time = self.0.one(&cmd("TIME"), "asking TIME", deadline, |reply| server_info::time(&reply));
        let info = if_allowed(info)?.unwrap_or_default();
        Ok(StoreInspection { time: if_allowed(time)?, ..info })
    }

    fn health(&self) -> StoreHealth {
        self.0.health.health()
    }
}

impl RedisStoreState {
    fn clock(&self) -> &dyn Clock {
        &*self.connector.clock
    }

    fn io_error(&self, doing: &str, deadline: Deadline, failure: IoFailure) -> Error {
        self.connector.io_error(doing, Stage::Store, deadline, failure)
    }

    fn refused(&self, connection: &mut RedisConnection, doing: &str, error: &RedisError) -> Error {
        if error_mapping::ends_connection(error) {
            connection.poison();
        }
        error_mapping::refused(&self.connector.url, doing, error)
    }

    /// Sends commands that the server replies to at once, and reads the replies. The first error reply is the error.
    fn call<T>(
        &self,
        request: &Request,
        deadline: Deadline,
        read: impl FnOnce(Vec<Value>) -> Result<T, IoFailure>,
    ) -> Result<T> {
        let result = if deadline.has_passed(self.clock()) {
            Err(Error::Timeout { stage: Stage::Pool })
        } else {
            self.call_until(request, deadline, deadline, read)
        };
        self.noted(result)
    }

    fn call_until<T>(
        &self,
        request: &Request,
        deadline: Deadline,
        until: Deadline,
        read: impl FnOnce(Vec<Value>) -> Result<T, IoFailure>,
    ) -> Result<T> {
        let io_error = |failure| self.io_error(request.doing, deadline, failure);
        let mut lease = self.pool.lend(deadline)?;
        let connection = lease.connection()?;
        let replies = connection.call(&request.bytes, request.replies, self.clock(), until).map_err(io_error)?;
        let values: Result<Vec<Value>, RedisError> = replies.into_iter().collect();
        let values = values.map_err(|error| self.refused(connection, request.doing, &error))?;
        read(values).map_err(|wrong| {
            connection.poison();
            io_error(wrong)
        })
    }

    /// Sends one command that the server replies to at once.
    fn one<T>(
        &self,
        command: &Cmd,
        doing: &'static str,
        deadline: Deadline,
        read: impl FnOnce(Value) -> Result<T, IoFailure>,
    ) -> Result<T> {
        let request = Request { bytes: command.get_packed_command(), replies: 1, doing };
        self.call(&request, deadline, |mut values| read(values.pop().unwrap_or(Value::Nil)))
    }

    /// Takes a value that is there, without waiting: in a transaction BLPOP does not wait. LPOP has one key, and a value
    /// must be taken from the first key only that has one.
    fn pop_now(&self, keys: &[&str], deadline: Deadline) -> Result<Option<Found>> {
        let mut pipeline = pipe();
        pipeline.atomic().add_command(blpop(keys.iter().copied()));
        let request = Request { bytes: pipeline.get_packed_pipeline(), replies: 3, doing: "looking for an answer" };
        let from = deadline.max(self.clock().deadline(Duration::ZERO));
        let until = Deadline::at(from.instant() + GRACE);
        self.call_until(&request, deadline, until, |mut values| match values.pop() {
            Some(Value::Bulk(mut done)) if done.len() == 1 => {
                found(done.pop().unwrap_or(Value::Nil), keys.iter().copied())
            }
            _ => Err(IoFailure::Garbage),
        })
    }

    fn wait(&self, keys: &[&str], deadline: Deadline) -> Result<Option<Found>> {
        if deadline.has_passed(self.clock()) {
            return self.pop_now(keys, deadline);
        }
        self.waiters.wait(keys, deadline, |key, until| self.push(key, b"", WAKE_TTL, until))
    }

    /// Takes a batch of values that are there.
    fn take(&self, keys: &[&str], deadline: Deadline) -> Result<Vec<Taken>> {
        let mut lease = self.pool.lend(deadline)?;
        // A value that is taken must not be lost because the deadline passes while it is on its way.
        let until = deadline.max(self.clock().deadline(OVERDUE));
        Ok(lpop_many(&self.connector, lease.connection()?, keys, until))
    }

    fn push(&self, key: &str, value: &[u8], ttl: Duration, deadline: Deadline) -> Result<()> {
        let mut pipeline = pipe();
        pipeline.atomic().cmd("RPUSH").arg(key).arg(value).cmd("EXPIRE").arg(key).arg(whole_seconds(ttl));
        let request = Request { bytes: pipeline.get_packed_pipeline(), replies: 4, doing: "pushing an answer" };
        self.call(&request, deadline, |values| match values.as_slice() {
            [.., Value::Bulk(done)] if matches!(done.as_slice(), [Value::Int(1..), Value::Int(1)]) => Ok(()),
            _ => Err(IoFailure::Garbage),
        })
    }

    fn noted<T>(&self, result: Result<T>) -> Result<T> {
        match &result {
            Ok(_) => self.health.succeeded(&self.connector.url),
            Err(error) => self.health.failed(&self.connector.url, self.clock(), error),
        }
        result
    }
}

/// The reply to a question about the server. `None` if the user may not ask it.
fn if_allowed<T>(reply: Result<T>) -> Result<Option<T>> {
    match reply {
        Err(Error::Rejected { .. }) => Ok(None),
        reply => reply.map(Some),
    }
}

/// Bytes that are sent in one go, and the number of replies to them.
struct Request {
    bytes: Vec<u8>,
    replies: usize,
    doing: &'static str,
}

impl fmt::Debug for RedisReplyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisReplyStore")
            .field("url", &self.0.connector.url)
            .field("pool", &self.0.pool)
            .finish_non_exhaustive()
    }
}
