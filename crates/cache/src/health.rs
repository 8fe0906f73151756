//! The state of a store for health checks, as its last calls showed it. Sends nothing.

use std::time::Instant;

/// The state of a store, as its last calls showed it. [`ReplyStore::ping`](crate::ReplyStore::ping) asks the server.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StoreHealth {
    /// Whether the server replied to the last call that needed it. `None` before the first.
    pub reachable: Option<bool>,
    /// The text of the last error of any call, without secrets. It stays after the store has recovered.
    pub last_error: Option<String>,
    /// The time of the last error, by the store's clock.
    pub last_error_at: Option<Instant>,
    /// The number of calls that wait in [`pop`](crate::ReplyStore::pop).
    pub waiting: usize,
    /// The number of answers that were taken from the server for callers that had left, and could not be put back. Each of
    /// these callers got a timeout, or an error that says that the outcome is unknown.
    pub lost: u64,
}
