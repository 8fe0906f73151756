//! The contract: where answers wait for their callers. Implementations live in `redis`
//! and `memory`; what both must do the same is checked by `conformance`.

use std::time::Duration;

use zc_events_protocol::Deadline;

use crate::Result;

/// Lists of answers, each under its key, each for a while.
///
/// All calls block, at most until their deadline (Redis may add a fraction of a second to a
/// [`pop`](ReplyStore::pop) that its server does not end in time). May be used from any thread.
///
/// Nothing is retried: whoever calls knows whether asking twice does harm.
pub trait ReplyStore: Send + Sync {
    /// Appends `value` to the list under `key` and lets the list live for `ttl` from now
    /// (at least one second, in whole seconds, rounded up), in one step: there is never
    /// a list without an end. The value goes to whoever has waited longest for that key.
    /// A deadline that has passed stores nothing.
    ///
    /// # Errors
    /// [`Unavailable`](crate::Error::Unavailable), [`Timeout`](crate::Error::Timeout),
    /// [`Rejected`](crate::Error::Rejected). After a timeout the value may be there or not.
    fn push(&self, key: &str, value: &[u8], ttl: Duration, deadline: Deadline) -> Result<()>;

    /// Takes the oldest value of the first of `keys` that has one, waiting for it by the
    /// deadline; `None` when there was none. With the key it was found under. A deadline
    /// that has passed still looks once, without waiting, where a connection is at hand.
    ///
    /// # Errors
    /// [`Config`](crate::Error::Config) when `keys` is empty; otherwise as for [`ReplyStore::push`]. After an error a value may have been taken and lost:
    /// the outcome of the request is unknown, and asking again would wait in vain.
    fn pop(&self, keys: &[&str], deadline: Deadline) -> Result<Option<(String, Vec<u8>)>>;

    /// Makes sure that the store answers.
    ///
    /// # Errors
    /// As for [`ReplyStore::push`].
    fn ping(&self, deadline: Deadline) -> Result<()>;
}

/// The `ttl` of a push in whole seconds: rounded up, at least one, at most a century.
pub(crate) fn whole_seconds(ttl: Duration) -> u64 {
    const CENTURY: u64 = 100 * 365 * 24 * 60 * 60;
    let up = u64::from(ttl.subsec_nanos() > 0);
    ttl.as_secs().saturating_add(up).clamp(1, CENTURY)
}

/// Refuses a pop without keys, which would wait for nothing.
pub(crate) fn some_keys(keys: &[&str]) -> Result<()> {
    if keys.is_empty() {
        return Err(crate::Error::Config { why: "pop needs at least one key to look under".to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up() {
        let of = |millis| whole_seconds(Duration::from_millis(millis));
        assert_eq!([of(0), of(1), of(1000), of(1001), of(60_000)], [1, 1, 1, 2, 60]);
        assert_eq!(whole_seconds(Duration::MAX), 3_153_600_000);
    }
}
