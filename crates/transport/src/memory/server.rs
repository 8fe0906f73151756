//! A server in memory: its state behind a lock, its clock, and the servers that have a name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use zc_events_protocol::Clock;

use super::state::{Moment, ServerState};
use crate::flow_control::FlowControl;

/// The servers of [`named`](MemoryServer::named), while they have handles.
static NAMED: Mutex<BTreeMap<String, Weak<MemoryServer>>> = Mutex::new(BTreeMap::new());

pub(super) struct MemoryServer {
    pub(super) clock: Arc<dyn Clock>,
    /// Blocked while a test says so.
    pub(super) flow_control: FlowControl,
    state: Mutex<ServerState>,
}

impl MemoryServer {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, flow_control: FlowControl::default(), state: Mutex::default() })
    }

    pub(super) fn named(name: &str, clock: Arc<dyn Clock>) -> Arc<Self> {
        let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = named.get(name).and_then(Weak::upgrade) {
            return server;
        }
        named.retain(|_, server| server.strong_count() > 0);
        let server = Self::new(clock);
        named.insert(name.to_owned(), Arc::downgrade(&server));
        server
    }

    /// Runs `act` on the state as of now. The clock is read before the lock is taken, since it is foreign code.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut ServerState, Moment) -> T) -> T {
        let moment = Moment { now: self.clock.now(), wall: self.clock.wall() };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.expire(moment);
        act(&mut state, moment)
    }
}
