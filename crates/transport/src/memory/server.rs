//! The lock around the state, the clock beside it, and the servers that have a name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use zc_events_protocol::Clock;

use super::state::{Moment, State};
use crate::gate::Gate;

/// Those that [`named`](Server::named) made, as long as somebody uses them.
static NAMED: Mutex<BTreeMap<String, Weak<Server>>> = Mutex::new(BTreeMap::new());

pub(super) struct Server {
    pub(super) clock: Arc<dyn Clock>,
    /// Shut while a test says so.
    pub(super) gate: Gate,
    state: Mutex<State>,
}

impl Server {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, gate: Gate::default(), state: Mutex::default() })
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

    /// Does something at the present moment, after all that had to happen by then. The
    /// clock is asked before the lock is taken: it is somebody else's code.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State, Moment) -> T) -> T {
        let moment = Moment { now: self.clock.now(), wall: self.clock.wall() };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.expire(moment);
        act(&mut state, moment)
    }
}
