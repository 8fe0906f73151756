//! One handle of a broker in memory: a connection to its server.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::server::MemoryServer;
use super::state::{Moment, ServerState};
use crate::{Error, Result};

/// The connection of one handle, its clones and its subscriptions.
pub(super) struct BrokerHandle {
    pub(super) id: u64,
    pub(super) used: AtomicBool,
    pub(super) closed: AtomicBool,
    pub(super) server: Arc<MemoryServer>,
    /// The handles of subscriptions that have one of their own.
    adopted: Mutex<Vec<Weak<BrokerHandle>>>,
}

impl BrokerHandle {
    pub(super) fn new(server: Arc<MemoryServer>) -> Self {
        let id = server.with(|state, _| state.number());
        let (used, closed) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { id, used, closed, server, adopted: Mutex::default() }
    }

    /// Runs `act` unless the handle is closed. Closing sets its flag before it takes the lock, so no call slips in
    /// after it.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut ServerState, Moment) -> Result<T>) -> Result<T> {
        self.used.store(true, Ordering::Relaxed);
        self.server.with(|state, moment| {
            if self.closed.load(Ordering::SeqCst) {
                return Err(Error::Closed);
            }
            state.faults.reachable()?;
            act(state, moment)
        })
    }

    /// Closes `other` when the user closes this one.
    pub(super) fn adopt(&self, other: &Arc<BrokerHandle>) {
        let mut adopted = self.adopted.lock().unwrap_or_else(PoisonError::into_inner);
        adopted.retain(|handle| handle.strong_count() > 0);
        adopted.push(Arc::downgrade(other));
    }

    fn close(&self) {
        if !self.closed.swap(true, Ordering::SeqCst) {
            self.server.with(|state, moment| state.disconnect(self.id, moment));
        }
    }

    /// Closes this handle and those of its subscriptions.
    pub(super) fn close_all(&self) {
        self.close();
        let adopted = std::mem::take(&mut *self.adopted.lock().unwrap_or_else(PoisonError::into_inner));
        adopted.iter().filter_map(Weak::upgrade).for_each(|handle| handle.close());
    }
}

impl Drop for BrokerHandle {
    fn drop(&mut self) {
        self.close();
    }
}
