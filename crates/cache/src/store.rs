//! The contract: where answers wait for their callers. `redis` and `memory` implement it; `conformance` checks that both
//! behave the same.

use std::time::Duration;

use zc_events_protocol::Deadline;

use crate::{Claim, Result, StoreHealth, StoreInspection};

/// A key, and the value that was taken under it. An error if a value may have been taken and lost.
pub type Taken = (String, Result<Vec<u8>>);

/// Lists of answers, each under its key, each with a ttl; and idempotency records, which say who works on something, or what
/// the result was.
///
/// All calls block, until their deadline at most, whatever a server does. May be called from any thread.
///
/// A store retries nothing: only the caller knows whether a call may be repeated.
pub trait ReplyStore: Send + Sync {
    /// Appends `value` to the list under `key` and sets the ttl of the list (at least one second, in whole seconds, rounded
    /// up), in one step: there is never a list without a ttl. The call that has waited longest for the key gets the value.
    /// After its deadline, a push stores nothing.
    ///
    /// # Errors
    /// [`Unavailable`](crate::Error::Unavailable), [`Timeout`](crate::Error::Timeout),
    /// [`Rejected`](crate::Error::Rejected). After a timeout the value may be stored or not.
    fn push(&self, key: &str, value: &[u8], ttl: Duration, deadline: Deadline) -> Result<()>;

    /// Takes the oldest value of the first of `keys` that has one, and waits for one until the deadline. Returns the key with
    /// the value; `None` if no value came. After its deadline, a pop looks once, without waiting, if a connection is free.
    ///
    /// # Errors
    /// [`Config`](crate::Error::Config) if `keys` is empty; otherwise as for [`ReplyStore::push`]. After an error a value may
    /// have been taken and lost: the outcome of the request is unknown, and another pop would wait in vain.
    fn pop(&self, keys: &[&str], deadline: Deadline) -> Result<Option<(String, Vec<u8>)>>;

    /// Takes the oldest value of each of `keys` that has one, without waiting, in the order of the keys. For callers with so
    /// many keys that a [`pop`](ReplyStore::pop) for each answer costs too much. Blocks for one round trip for each 256 keys.
    /// After its deadline, it still looks if a connection is free.
    ///
    /// A key comes with an error if its value may have been taken and lost. A store of your own may leave this method out:
    /// it takes nothing then.
    ///
    /// # Errors
    /// As for [`ReplyStore::push`]. No value was taken then.
    fn take(&self, _keys: &[&str], _deadline: Deadline) -> Result<Vec<Taken>> {
        Ok(Vec::new())
    }

    /// Asks whether the store works.
    ///
    /// # Errors
    /// As for [`ReplyStore::push`].
    fn ping(&self, deadline: Deadline) -> Result<()>;

    /// Claims the work that `key` stands for, in one step: one owner at a time is granted the work. The lease counts from now
    /// by the store's clock, in whole milliseconds, rounded up. When it ends without [`complete`](ReplyStore::complete), the
    /// next owner that claims gets the work. The owner of a lease may claim again, which renews it. The name of an `owner` must
    /// be unique among the workers; if one worker must not get the same work twice, use a new name for each claim.
    ///
    /// Use different keys for records and for lists. A record ends with its lease or ttl, and is lost when the store evicts it.
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
    /// // The work is done here. Its result is kept for a day.
    /// assert!(store.complete("orders:done:17", "worker-1", b"shipped", Duration::from_secs(86_400), soon())?);
    /// assert_eq!(store.claim("orders:done:17", "worker-2", lease, soon())?, Claim::Completed(b"shipped".to_vec()));
    /// # Ok::<(), zc_events_cache::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`ReplyStore::push`]; [`Rejected`](crate::Error::Rejected) also if the key holds no record. After a timeout or a
    /// lost connection the lease may be granted or not: the same owner claims again, or lets it end. All four calls about
    /// records are idempotent: an owner may repeat each.
    fn claim(&self, key: &str, owner: &str, lease: Duration, deadline: Deadline) -> Result<Claim>;

    /// Extends a lease of `owner` to `lease` from now. `false` if the owner does not hold it any more: it ended, another owner
    /// has it, or the work is completed.
    ///
    /// # Errors
    /// As for [`ReplyStore::claim`]; after an error the lease may end as it would have before.
    fn renew(&self, key: &str, owner: &str, lease: Duration, deadline: Deadline) -> Result<bool>;

    /// Records the result of the work, for `ttl` from now (in whole milliseconds, rounded up), and ends the lease, in one step.
    /// Works also after the lease has ended, unless another owner has claimed the work. `false` if another owner holds the
    /// lease or has completed the work: nothing is written then.
    ///
    /// # Errors
    /// As for [`ReplyStore::claim`]; after an error the result may be recorded or not. Completing again is safe.
    fn complete(&self, key: &str, owner: &str, record: &[u8], ttl: Duration, deadline: Deadline) -> Result<bool>;

    /// Ends a lease of `owner`, so that the next owner that claims gets the work. Does nothing to the lease of another owner, or
    /// to a record.
    ///
    /// # Errors
    /// As for [`ReplyStore::claim`]; after an error the lease may last until it ends by itself.
    fn release(&self, key: &str, owner: &str, deadline: Deadline) -> Result<()>;

    /// Asks for the properties of the server, for diagnosis. Changes nothing. A store of your own may leave this method out.
    ///
    /// # Errors
    /// As for [`ReplyStore::ping`]. A property that the user may not ask for is no error.
    fn inspect(&self, deadline: Deadline) -> Result<StoreInspection> {
        self.ping(deadline).map(|()| StoreInspection::default())
    }

    /// The state of the store, as its last calls showed it. Never blocks. A store of your own may leave this method out.
    fn health(&self) -> StoreHealth {
        StoreHealth::default()
    }
}

/// The longest lease and ttl.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A lease, or the ttl of a record, in whole milliseconds: rounded up, at least 1, at most a century.
pub(crate) fn whole_millis(time: Duration) -> u64 {
    let millis = time.min(CENTURY).as_nanos().div_ceil(1_000_000).max(1);
    u64::try_from(millis).unwrap_or(u64::MAX)
}

/// The `ttl` of a push in whole seconds: rounded up, at least one, at most a century.
pub(crate) fn whole_seconds(ttl: Duration) -> u64 {
    let up = u64::from(ttl.subsec_nanos() > 0);
    ttl.as_secs().saturating_add(up).clamp(1, CENTURY.as_secs())
}

/// Refuses a pop without keys.
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
