//! The contract: where answers wait for their callers. Implementations live in `redis`
//! and `memory`; what both must do the same is checked by `conformance`.

use std::time::Duration;

use zc_events_protocol::Deadline;

use crate::Result;

/// Lists of answers, each under its key, each for a while.
///
/// All calls block, at most until their deadline. May be used from any thread.
pub trait ReplyStore: Send + Sync {
    /// Appends `value` to the list under `key` and lets the list live for `ttl` from now
    /// (at least one second, in whole seconds, rounded up), in one step: there is never
    /// a list without an end.
    ///
    /// # Errors
    /// [`Unavailable`](crate::Error::Unavailable), [`Timeout`](crate::Error::Timeout),
    /// [`Rejected`](crate::Error::Rejected). After a timeout the value may be there or not.
    fn push(&self, key: &str, value: &[u8], ttl: Duration, deadline: Deadline) -> Result<()>;

    /// Takes the oldest value of the first of `keys` that has one, waiting for it by the
    /// deadline; `None` when there was none. With the key it was found under.
    ///
    /// # Errors
    /// As for [`ReplyStore::push`]. After an error a value may have been taken and lost:
    /// the outcome of the request is unknown, and asking again would wait in vain.
    fn pop(&self, keys: &[&str], deadline: Deadline) -> Result<Option<(String, Vec<u8>)>>;

    /// Makes sure that the store answers.
    ///
    /// # Errors
    /// As for [`ReplyStore::push`].
    fn ping(&self, deadline: Deadline) -> Result<()>;
}
