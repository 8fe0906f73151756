//! The thread of a shared waiter, and its connection. One BLPOP over all keys returns the first answer. While answers
//! come, the thread takes the values of all keys with LPOP, since BLPOP gives one value at a time.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use r2d2_redis::redis::RedisError;
use zc_events_protocol::clock::pause;
use zc_events_protocol::{Clock, Deadline};

use super::blpop::{OVERDUE, PATIENCE, SLICE, WAITING, blpop, found, key_of_large_value, put_back};
use super::connection::RedisConnection;
use super::error_mapping;
use super::io_failure::IoFailure;
use super::lpop_many::{BATCH, lpop_many};
use super::pool::ConnectionLease;
use super::waiter_state::{Awaiting, ThreadState, WaiterShared};
use crate::Error;
use crate::waiters::Found;

/// How often the thread looks at the keys of several calls while the wake channel is disabled.
const POLL: Duration = Duration::from_millis(50);

/// What the thread does next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Wait for the first answer.
    Block,
    /// Answers come: look at all keys.
    Scan,
    /// The server refused a BLPOP: look at all keys to find out which key it refuses.
    ScanAfterRefusal,
}

/// How the thread learns of new calls while it waits for answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waking {
    /// By the wake channel.
    Enabled,
    /// The wake channel is disabled, and one call waits: the thread learns of others when its BLPOP ends.
    Alone,
    /// The wake channel is disabled, and several calls wait: the thread looks every 50 ms.
    Polling,
}

pub(super) struct WaiterThread {
    shared: Arc<WaiterShared>,
    /// Kept until no call waits.
    lease: Option<ConnectionLease>,
}

impl WaiterThread {
    pub(super) fn new(shared: Arc<WaiterShared>) -> Self {
        Self { shared, lease: None }
    }

    /// Runs until the sender of `notified` is gone.
    pub(super) fn run(mut self, notified: &Receiver<()>) {
        let mut turn = Turn::Block;
        loop {
            let (keys, waking) = self.begin(turn);
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            if keys.is_empty() {
                self.lease = None;
                if notified.recv().is_err() {
                    return;
                }
                turn = Turn::Block;
                continue;
            }
            let Some(mut lease) = self.lease(&keys) else { continue };
            let Ok(connection) = lease.connection() else { continue };
            turn = match turn {
                Turn::Block if waking == Waking::Polling => {
                    let (_never, interrupt) = bounded(0);
                    pause(self.clock(), self.clock().deadline(POLL), &interrupt);
                    self.scan(connection, &keys).0
                }
                Turn::Block => self.block(connection, &keys, waking),
                Turn::Scan => self.scan(connection, &keys).0,
                Turn::ScanAfterRefusal => {
                    let (turn, refused) = self.scan(connection, &keys);
                    if !refused {
                        // The server refuses none of the calls' keys, so it refuses the key of the wake channel.
                        self.shared.lock().disable_wake(self.clock().now());
                    }
                    turn
                }
            };
            self.lease = connection.is_clean().then_some(lease);
        }
    }

    fn clock(&self) -> &dyn Clock {
        &*self.shared.connector().clock
    }

    /// The keys that calls wait for, and how new calls reach the thread. Notes what new calls must do.
    fn begin(&self, turn: Turn) -> (Vec<String>, Waking) {
        let mut state = self.shared.lock();
        let keys = state.waiters.keys();
        let waking = match state.is_wake_disabled(self.clock().now()) {
            false => Waking::Enabled,
            true if state.waiters.len() <= 1 => Waking::Alone,
            true => Waking::Polling,
        };
        state.thread = match turn {
            _ if keys.is_empty() => ThreadState::Idle,
            Turn::Block if waking == Waking::Enabled => ThreadState::Blocking,
            _ => ThreadState::Scanning,
        };
        (keys, waking)
    }

    /// A connection. If there is none, the calls that wait for `keys` get the reason.
    fn lease(&mut self, keys: &[&str]) -> Option<ConnectionLease> {
        if let Some(mut lease) = self.lease.take()
            && lease.connection().is_ok_and(RedisConnection::is_quiet)
        {
            return Some(lease);
        }
        self.set_awaiting(Awaiting::Connection);
        let lease = self.shared.pool.lend(self.clock().deadline(PATIENCE));
        let mut state = self.shared.lock();
        self.shared.set_awaiting(&mut state, Awaiting::Nothing);
        match lease {
            Ok(lease) => Some(lease),
            Err(error) => {
                state.waiters.fail(keys.iter().copied(), error);
                None
            }
        }
    }

    /// Notes until when the server must reply, for calls whose deadlines pass meanwhile.
    fn expect_reply(&self, within: Duration) {
        let overdue = self.clock().now() + within + OVERDUE;
        self.set_awaiting(Awaiting::Reply { overdue });
    }

    fn set_awaiting(&self, awaiting: Awaiting) {
        self.shared.set_awaiting(&mut self.shared.lock(), awaiting);
    }

    /// Waits for the first answer.
    fn block(&self, connection: &mut RedisConnection, keys: &[&str], waking: Waking) -> Turn {
        let connector = self.shared.connector();
        let wake_key = self.shared.wake_key.as_str();
        let asked = || keys.iter().copied().chain((waking == Waking::Enabled).then_some(wake_key));
        let until = Deadline::at(self.clock().deadline(SLICE).instant() + PATIENCE);
        self.expect_reply(SLICE);
        let reply = connector.call(connection, &blpop(asked()), until);
        {
            let mut state = self.shared.lock();
            // From here on the thread reads the keys before it blocks again.
            state.thread = ThreadState::Scanning;
            self.shared.set_awaiting(&mut state, Awaiting::Nothing);
        }
        match reply.map(|reply| reply.map(|value| found(value, asked()))) {
            Ok(Ok(Ok(None))) => Turn::Block,
            Ok(Ok(Ok(Some((key, _))))) if key == wake_key => Turn::Block,
            Ok(Ok(Ok(Some(found)))) => {
                self.deliver(connection, found);
                Turn::Scan
            }
            Ok(Ok(Err(failure))) => {
                connection.poison();
                self.lost(keys, failure)
            }
            Ok(Err(refused)) if waking == Waking::Alone || error_mapping::ends_connection(&refused) => {
                self.refused(connection, keys, &refused);
                Turn::Block
            }
            Ok(Err(_)) => Turn::ScanAfterRefusal,
            Err(IoFailure::TooLarge) => {
                // Only the call that waits for this key has lost its answer.
                let key = key_of_large_value(connection.unread()).filter(|key| keys.contains(key));
                self.lost(key.as_ref().map_or(keys, std::slice::from_ref), IoFailure::TooLarge)
            }
            Err(failure) => self.lost(keys, failure),
        }
    }

    /// Looks at all `keys` once. Returns what to do next, and whether the server refused a key.
    fn scan(&self, connection: &mut RedisConnection, keys: &[&str]) -> (Turn, bool) {
        let (mut any, mut refused) = (false, false);
        for batch in keys.chunks(BATCH) {
            self.expect_reply(Duration::ZERO);
            let until = self.clock().deadline(PATIENCE);
            let mut left_over = Vec::new();
            let taken = lpop_many(self.shared.connector(), connection, batch, until);
            self.set_awaiting(Awaiting::Nothing);
            for (key, value) in taken {
                match value {
                    Ok(value) => {
                        any = true;
                        let value = self.shared.lock().waiters.deliver(&key, value);
                        left_over.extend(value.map(|value| (key, value)));
                    }
                    Err(error) => {
                        refused |= matches!(error, Error::Rejected { .. });
                        self.shared.fail([key.as_str()], error);
                    }
                }
            }
            for found in left_over {
                self.put_back(connection, found);
            }
            if !connection.is_clean() {
                return (Turn::Block, refused);
            }
        }
        (if any { Turn::Scan } else { Turn::Block }, refused)
    }

    /// Passes a value on to the call that waits for it. Puts it back if no call waits for it any more.
    fn deliver(&self, connection: &mut RedisConnection, (key, value): Found) {
        let left = self.shared.lock().waiters.deliver(&key, value);
        if let Some(value) = left {
            self.put_back(connection, (key, value));
        }
    }

    fn put_back(&self, connection: &mut RedisConnection, found: Found) {
        let (connector, health) = (self.shared.connector(), &self.shared.health);
        if connection.is_clean() {
            put_back(connector, health, connection, found, self.clock().deadline(PATIENCE));
        } else {
            health.lost(&connector.url, "the connection was lost");
        }
    }

    fn refused(&self, connection: &mut RedisConnection, keys: &[&str], error: &RedisError) {
        if error_mapping::ends_connection(error) {
            connection.poison();
        }
        let error = error_mapping::refused(&self.shared.connector().url, "to wait for an answer", error);
        self.shared.fail(keys.iter().copied(), error);
    }

    /// The connection is lost, and perhaps a value of one of `keys` with it.
    fn lost(&self, keys: &[&str], failure: IoFailure) -> Turn {
        let error = error_mapping::connection_lost(&self.shared.connector().url, WAITING, failure);
        self.shared.fail(keys.iter().copied(), error);
        Turn::Block
    }
}

impl Drop for WaiterThread {
    /// However the thread ends: no call waits for it in vain, and the next call starts another.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.thread = ThreadState::Absent;
        self.shared.set_awaiting(&mut state, Awaiting::Nothing);
        state.waiters.fail_all(Error::Unavailable {
            what: "the thread that waits for answers from Redis ended; an answer may have been taken and lost"
                .to_owned(),
            source: None,
        });
    }
}
