//! How a store fares, for health checks: what the last calls showed. Nothing is asked for it.

use std::time::Instant;

/// What is known of a store without asking it. For a question to the server there is
/// [`ReplyStore::ping`](crate::ReplyStore::ping).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StoreHealth {
    /// Whether the store answered the last call that reached out for it; `None` before the first.
    pub reachable: Option<bool>,
    /// The last error of any call, in words, without secrets. It stays after the store has recovered.
    pub last_error: Option<String>,
    /// When that was, by the store's clock.
    pub last_error_at: Option<Instant>,
    /// How many calls wait in [`pop`](crate::ReplyStore::pop) now.
    pub waiting: usize,
    /// How many answers were taken from the server for callers who had left meanwhile, and
    /// could not be put back. Each caller was told that he timed out, or that the outcome is unknown.
    pub lost: u64,
}
