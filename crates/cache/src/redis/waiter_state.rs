//! The state that a shared waiter's calls and its thread share: who waits for which keys, what the thread does, and what it
//! awaits from the server. Sends nothing.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use zc_events_protocol::Stage;

use super::connector::RedisConnector;
use super::health_tracker::HealthTracker;
use super::pool::RedisPool;
use crate::Error;
use crate::waiters::Waiters;

/// How long the wake channel is not used after it has failed.
const WAKE_DISABLED: Duration = Duration::from_secs(5);

pub(super) struct WaiterShared {
    pub(super) pool: Arc<RedisPool>,
    pub(super) health: Arc<HealthTracker>,
    /// The key of the wake channel. Its only purpose is to end a BLPOP. No other waiter has the same key.
    pub(super) wake_key: String,
    /// Whether a reply or a connection is awaited: [`WaiterState::awaiting`], without its lock.
    is_awaiting: AtomicBool,
    state: Mutex<WaiterState>,
}

#[derive(Default)]
pub(super) struct WaiterState {
    pub(super) waiters: Waiters,
    pub(super) thread: ThreadState,
    awaiting: Awaiting,
    wake_disabled_until: Option<Instant>,
}

/// What the thread does, and so what a new call must do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ThreadState {
    /// There is no thread: start it.
    #[default]
    Absent,
    /// The thread sleeps: notify it.
    Idle,
    /// The thread reads the keys before it blocks: nothing to do.
    Scanning,
    /// The thread is in a BLPOP that does not know the new keys: wake it.
    Blocking,
}

/// What the thread awaits from the server.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Awaiting {
    #[default]
    Nothing,
    Connection,
    Reply {
        /// After this moment the server counts as stalled.
        overdue: Instant,
    },
}

impl WaiterShared {
    pub(super) fn new(pool: Arc<RedisPool>, health: Arc<HealthTracker>) -> Self {
        let random = RandomState::new().build_hasher().finish();
        let wake_key = format!("zc-events-wake-{:x}-{random:016x}", std::process::id());
        Self { pool, health, wake_key, is_awaiting: AtomicBool::new(false), state: Mutex::default() }
    }

    pub(super) fn connector(&self) -> &RedisConnector {
        &self.pool.connector
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, WaiterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what the thread awaits from now on.
    pub(super) fn set_awaiting(&self, state: &mut WaiterState, awaiting: Awaiting) {
        state.awaiting = awaiting;
        self.is_awaiting.store(!matches!(awaiting, Awaiting::Nothing), Ordering::Relaxed);
    }

    /// Whether the thread awaits something from the server.
    pub(super) fn is_awaiting(&self) -> bool {
        self.is_awaiting.load(Ordering::Relaxed)
    }

    /// Ends the wait of all calls for one of `keys`.
    pub(super) fn fail<'a>(&self, keys: impl IntoIterator<Item = &'a str>, error: Error) {
        self.lock().waiters.fail(keys, error);
    }
}

impl WaiterState {
    /// The stage that a call blames whose deadline passes at `now`. `None` if the server is not late.
    pub(super) fn late_stage(&self, now: Instant) -> Option<Stage> {
        match self.awaiting {
            Awaiting::Connection => Some(Stage::Connect),
            Awaiting::Reply { overdue } if now > overdue => Some(Stage::Store),
            Awaiting::Reply { .. } | Awaiting::Nothing => None,
        }
    }

    pub(super) fn is_wake_disabled(&mut self, now: Instant) -> bool {
        self.wake_disabled_until = self.wake_disabled_until.filter(|until| *until > now);
        self.wake_disabled_until.is_some()
    }

    pub(super) fn disable_wake(&mut self, now: Instant) {
        self.wake_disabled_until = Some(now + WAKE_DISABLED);
    }
}
