//! Waits for the answers to many requests or calls at once, on one connection to the reply store. Waiting for one answer
//! is in `pending`.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::{Clock, Deadline, Stage};

use super::EventClient;
use super::answer::Answer;
use super::pending::{FIRST_LOOK, Pending};
use crate::{Error, Result};

/// Requests or calls whose answers are waited for together. Each keeps its own deadline, which is counted from sending.
/// The set may be dropped at any time.
///
/// ```
/// # use std::time::Duration;
/// # use zc_events::{Context, EventClient, PendingSet, Service, Settings};
/// # let settings = Settings::builder().broker_url("memory://").events_redis_url("memory://").staging_name("test").service_name("sums").build()?;
/// # let client = EventClient::new(settings)?;
/// # let service = Service::builder(&client).call("square", |_: &Context, x: i64| Ok(x * x)).start()?;
/// let squares: PendingSet<i64> =
///     (1..=3).map(|x| client.get("square").data(x)?.send()).collect::<zc_events::Result<_>>()?;
/// let squares: Vec<i64> = squares.wait_all(Duration::from_secs(5)).into_iter().collect::<zc_events::Result<_>>()?;
/// assert_eq!(squares, [1, 4, 9]);
/// # Ok::<(), zc_events::Error>(())
/// ```
#[must_use = "the answers are read only by waiting"]
pub struct PendingSet<T = Answer> {
    pending: BTreeMap<usize, Pending<T>>,
    /// The index of each response key.
    by_key: HashMap<String, usize>,
    /// The requests that ended before their result was asked for.
    ended: BTreeMap<usize, Result<T>>,
    next: usize,
}

impl<T> PendingSet<T> {
    /// Creates an empty set.
    pub fn new() -> Self {
        Self { pending: BTreeMap::new(), by_key: HashMap::new(), ended: BTreeMap::new(), next: 0 }
    }

    /// Adds a request and returns its index: 0 for the first, and so on.
    ///
    /// All must be from one client or its clones, because their answers arrive in one store. A request of another client
    /// ends with [`Error::Config`].
    pub fn push(&mut self, pending: Pending<T>) -> usize {
        let index = self.next;
        self.next += 1;
        let is_same_client = self.client().is_none_or(|client| Arc::ptr_eq(client.inner(), pending.client().inner()));
        if is_same_client {
            self.by_key.insert(pending.response_key().to_owned(), index);
            self.pending.insert(index, pending);
        } else {
            let why = format!("{} is from another client than the other requests of the PendingSet", pending.what());
            self.ended.insert(index, pending.end(Err(Error::config(why))));
        }
        index
    }

    /// The number of requests whose result was not returned yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pending.len() + self.ended.len()
    }

    /// Whether all results were returned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the next result with the index of its request: an answer, a failure or a timeout. Blocks for at most
    /// `timeout`. Returns `None` if no request has ended by then, or if all results were returned.
    pub fn wait_any(&mut self, timeout: Duration) -> Option<(usize, Result<T>)> {
        if let Some(ended) = self.ended.pop_first() {
            return Some(ended);
        }
        let deadline = self.client()?.inner().deadline(timeout);
        self.next_by(deadline)
    }

    /// Returns all results in the order of the indices, without those that [`PendingSet::wait_any`] has returned. Blocks for
    /// at most `timeout`. Requests that have not ended by then are timeouts.
    #[must_use]
    pub fn wait_all(mut self, timeout: Duration) -> Vec<Result<T>> {
        let deadline = self.client().map(|client| client.inner().deadline(timeout));
        let mut all = std::mem::take(&mut self.ended);
        while let Some((index, ended)) = deadline.and_then(|deadline| self.next_by(deadline)) {
            all.insert(index, ended);
            all.append(&mut self.ended);
        }
        for (index, pending) in self.pending {
            all.insert(index, pending.end(Err(Error::Timeout { stage: Stage::Reply })));
        }
        all.into_values().collect()
    }

    fn client(&self) -> Option<&EventClient> {
        self.pending.values().next().map(Pending::client)
    }

    fn next_by(&mut self, deadline: Deadline) -> Option<(usize, Result<T>)> {
        let client = self.client()?.clone();
        let clock = client.inner().clock();
        let mut until = client.inner().deadline(FIRST_LOOK);
        loop {
            match self.pop(&client, until.min(deadline)) {
                Ok(Some((index, bytes))) => {
                    let ended = self.end(index, Ok(bytes));
                    self.take_more(&client, deadline);
                    return ended;
                }
                // A store that was slow once may take until the deadline.
                Ok(None) | Err(Error::Timeout { .. }) => {}
                // Only this request fails. The store may be available again for the others.
                Err(error) => return self.pending.keys().next().copied().and_then(|index| self.end(index, Err(error))),
            }
            let failed = self
                .pending
                .iter_mut()
                .find_map(|(index, pending)| pending.check_delivery().err().map(|error| (*index, error)));
            if let Some((index, error)) = failed {
                return self.end(index, Err(error));
            }
            if let Some(index) = self.find_late(clock) {
                return self.end(index, Err(Error::Timeout { stage: Stage::Reply }));
            }
            if deadline.has_passed(clock) {
                return None;
            }
            until = self.pending.values().map(Pending::deadline).min().unwrap_or(deadline);
        }
    }

    fn pop(&self, client: &EventClient, until: Deadline) -> Result<Option<(usize, Vec<u8>)>> {
        let until = self.pending.values().map(Pending::deadline).fold(until, Deadline::min);
        let keys: Vec<&str> = self.pending.values().map(Pending::response_key).collect();
        let popped = client.pop(&keys, until)?;
        Ok(popped.and_then(|(key, value)| Some((*self.by_key.get(&key)?, value))))
    }

    /// Takes all other answers that are there: after one answer there are often more. One `pop` for each, with all keys, would
    /// cost too much.
    fn take_more(&mut self, client: &EventClient, deadline: Deadline) {
        if self.pending.len() < 2 {
            return;
        }
        let keys: Vec<&str> = self.pending.values().map(Pending::response_key).collect();
        // After an error the next `pop` reports it again.
        for (key, value) in client.take(&keys, deadline).unwrap_or_default() {
            let ended = self.by_key.get(&key).copied().and_then(|index| self.end(index, value));
            self.ended.extend(ended);
        }
    }

    fn find_late(&self, clock: &dyn Clock) -> Option<usize> {
        self.pending.iter().find(|(_, pending)| pending.deadline().has_passed(clock)).map(|(index, _)| *index)
    }

    fn end(&mut self, index: usize, awaited: Result<Vec<u8>>) -> Option<(usize, Result<T>)> {
        let mut pending = self.pending.remove(&index)?;
        self.by_key.remove(pending.response_key());
        let awaited = match awaited {
            Err(timeout @ Error::Timeout { stage: Stage::Reply }) => {
                Err(pending.take_delivery_failure().unwrap_or(timeout))
            }
            other => other,
        };
        Some((index, pending.end(awaited)))
    }
}

impl<T> Default for PendingSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> FromIterator<Pending<T>> for PendingSet<T> {
    fn from_iter<I: IntoIterator<Item = Pending<T>>>(all: I) -> Self {
        let mut set = Self::new();
        set.extend(all);
        set
    }
}

impl<T> Extend<Pending<T>> for PendingSet<T> {
    fn extend<I: IntoIterator<Item = Pending<T>>>(&mut self, all: I) {
        for pending in all {
            self.push(pending);
        }
    }
}

impl<T> fmt::Debug for PendingSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingSet").field("pending", &self.len()).finish_non_exhaustive()
    }
}
