//! The contract: where answers wait for their callers. Implementations live in `redis`
//! and `memory`; what both must do the same is checked by `conformance`.

use std::time::Duration;

use zc_events_protocol::Deadline;

use crate::{Claim, Result, StoreHealth, StoreInspection};

/// A key, and the value that was taken under it, or that may have been lost.
pub type Taken = (String, Result<Vec<u8>>);

/// Lists of answers, each under its key, each for a while; and idempotency records, which
/// say who works on something, or what came of it.
///
/// All calls block, at most until their deadline, whatever a server does. May be used from any thread.
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
    /// deadline; `None` when none came by then. With the key it was found under. A deadline
    /// that has passed still looks once, without waiting, where a connection is at hand.
    ///
    /// # Errors
    /// [`Config`](crate::Error::Config) when `keys` is empty; otherwise as for [`ReplyStore::push`]. After an error a value may have been taken and lost:
    /// the outcome of the request is unknown, and asking again would wait in vain.
    fn pop(&self, keys: &[&str], deadline: Deadline) -> Result<Option<(String, Vec<u8>)>>;

    /// Takes the oldest value of each of `keys` that has one, without waiting for any: for whoever waits for so many
    /// that a [`pop`](ReplyStore::pop) for each, with all keys, costs too much. In the order of the keys. Blocks for a
    /// round trip for each 256 keys. A deadline that has passed still looks, where a connection is at hand.
    ///
    /// With a key stands an error in place of a value where one may have been taken and lost. Stores of your own may leave
    /// it out: nothing is taken then.
    ///
    /// # Errors
    /// As for [`ReplyStore::push`]; nothing was taken.
    fn take(&self, _keys: &[&str], _deadline: Deadline) -> Result<Vec<Taken>> {
        Ok(Vec::new())
    }

    /// Makes sure that the store answers.
    ///
    /// # Errors
    /// As for [`ReplyStore::push`].
    fn ping(&self, deadline: Deadline) -> Result<()>;

    /// Claims the work that `key` stands for, in one step: among all who claim it, one at
    /// a time is granted it. The lease counts from now by the store's clock, in whole
    /// milliseconds, rounded up; when it ends without [`complete`](ReplyStore::complete),
    /// the next who claims gets it. The `owner` who holds it may claim again, which renews it:
    /// a name that no other worker uses at the same time, new for each piece of work
    /// if the same worker must not get it twice.
    ///
    /// The keys of records and of lists are the caller's to keep apart; records end with
    /// their lease or ttl, and with the store, when that forgets or evicts.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use zc_events_cache::Claim;
    /// use zc_events_protocol::{Clock, SystemClock};
    ///
    /// let store = zc_events_cache::open("memory://", Arc::new(SystemClock))?;
    /// let soon = || SystemClock.deadline(Duration::from_secs(5));
    /// let lease = Duration::from_secs(30);
    ///
    /// assert_eq!(store.claim("orders:done:17", "worker-1", lease, soon())?, Claim::Granted);
    /// assert!(matches!(store.claim("orders:done:17", "worker-2", lease, soon())?, Claim::Held { .. }));
    /// // The work is done here. What came of it is kept for a day.
    /// assert!(store.complete("orders:done:17", "worker-1", b"shipped", Duration::from_secs(86_400), soon())?);
    /// assert_eq!(store.claim("orders:done:17", "worker-2", lease, soon())?, Claim::Completed(b"shipped".to_vec()));
    /// # Ok::<(), zc_events_cache::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`ReplyStore::push`]; [`Rejected`](crate::Error::Rejected) also when the key holds something
    /// that is no record. After a timeout or a lost connection the lease may be ours or not:
    /// the same owner claims again, or lets it run out. This holds for all four calls about
    /// records: each may be repeated by the same owner with the same effect as once.
    fn claim(&self, key: &str, owner: &str, lease: Duration, deadline: Deadline) -> Result<Claim>;

    /// Lets a lease of `owner` last for `lease` from now. `false` when he does not hold it
    /// (any more): it ran out, somebody else has it, or the work was completed.
    ///
    /// # Errors
    /// As for [`ReplyStore::claim`]; after them the lease may last as long as it did before.
    fn renew(&self, key: &str, owner: &str, lease: Duration, deadline: Deadline) -> Result<bool>;

    /// Records what came of the work, for `ttl` from now (in milliseconds, rounded up), and
    /// ends the lease, in one step. A lease that ran out and was taken by nobody
    /// is no obstacle: the work was done. `false` when somebody else holds the lease or has
    /// completed the work; nothing is written then, and what he records counts.
    ///
    /// # Errors
    /// As for [`ReplyStore::claim`]; after them it may be recorded or not. Completing again is safe.
    fn complete(&self, key: &str, owner: &str, record: &[u8], ttl: Duration, deadline: Deadline) -> Result<bool>;

    /// Gives a lease of `owner` back, for the next who claims. Somebody else's lease and a record are
    /// left alone.
    ///
    /// # Errors
    /// As for [`ReplyStore::claim`]; after them the lease may last until it ends by itself.
    fn release(&self, key: &str, owner: &str, deadline: Deadline) -> Result<()>;

    /// Asks the server what it is, for diagnosis. Changes nothing. Stores of your own may leave it
    /// out; nothing is known of their servers then.
    ///
    /// # Errors
    /// As for [`ReplyStore::ping`]. What the user may not ask is not told, and no error.
    fn inspect(&self, deadline: Deadline) -> Result<StoreInspection> {
        self.ping(deadline).map(|()| StoreInspection::default())
    }

    /// How the store fares, from what its calls showed. Never blocks. Stores of your own may
    /// leave it out; nothing is known of them then.
    fn health(&self) -> StoreHealth {
        StoreHealth::default()
    }
}

/// The longest that anything is kept.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A lease, or the ttl of a record, in whole milliseconds: rounded up, at least one, at most a century.
pub(crate) fn whole_millis(time: Duration) -> u64 {
    let millis = time.min(CENTURY).as_nanos().div_ceil(1_000_000).max(1);
    u64::try_from(millis).unwrap_or(u64::MAX)
}

/// The `ttl` of a push in whole seconds: rounded up, at least one, at most a century.
pub(crate) fn whole_seconds(ttl: Duration) -> u64 {
    let up = u64::from(ttl.subsec_nanos() > 0);
    ttl.as_secs().saturating_add(up).clamp(1, CENTURY.as_secs())
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

    #[test]
    fn milliseconds_are_rounded_up() {
        let of = |micros| whole_millis(Duration::from_micros(micros));
        assert_eq!([of(0), of(1), of(1000), of(1001), of(5_000_000)], [1, 1, 1, 2, 5000]);
        assert_eq!(whole_millis(Duration::MAX), 3_153_600_000_000);
    }
}
