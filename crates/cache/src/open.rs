//! Chooses the implementation by the scheme of the URL. The implementation reads the rest of the URL.

use std::sync::Arc;

use zc_events_protocol::Clock;

use crate::memory::MemoryReplyStore;
use crate::redis::{RedisOptions, RedisReplyStore, RedisUrl};
use crate::{Error, ReplyStore, Result};

/// The reply store at `url`:
///
/// | URL | store |
/// |---|---|
/// | `redis://[user][:password]@host[:port][/db]` | Redis, with the defaults of [`RedisOptions`] |
/// | `memory://` | a new one in memory |
/// | `memory://name` | the store in memory that this process shares under this name |
///
/// Does not connect: the first call that cannot reach the server says why.
///
/// # Errors
/// [`Config`](Error::Config) if the URL is not valid. The error quotes no part of the URL.
///
/// ```
/// use std::sync::Arc;
/// use zc_events_protocol::SystemClock;
///
/// assert!(zc_events_cache::open("memory://", Arc::new(SystemClock)).is_ok());
/// assert!(zc_events_cache::open("redis://:secret@cache.internal/2", Arc::new(SystemClock)).is_ok());
/// assert!(zc_events_cache::open("memcached://cache", Arc::new(SystemClock)).is_err());
/// ```
pub fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Arc<dyn ReplyStore>> {
    if let Some(name) = url.trim().strip_prefix("memory://") {
        return Ok(Arc::new(match name.trim_end_matches('/') {
            "" => MemoryReplyStore::new(clock),
            name if name.contains(['/', '?', '#', '@']) => {
                return Err(Error::Config {
                    why: "the name in a memory:// URL is one plain word: memory://name".to_owned(),
                });
            }
            name => MemoryReplyStore::named(name, clock),
        }));
    }
    Ok(Arc::new(RedisReplyStore::new(RedisOptions::new(RedisUrl::parse(url)?, clock))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use zc_events_protocol::SystemClock;

    const SOON: Duration = Duration::from_secs(5);

    fn store(url: &str) -> Arc<dyn ReplyStore> {
        open(url, Arc::new(SystemClock)).unwrap()
    }

    #[test]
    fn named_stores_are_shared() {
        let deadline = || SystemClock.deadline(SOON);
        let (one, two) = (store("memory://open-test"), store("memory://open-test/"));
        one.push("k", b"v", SOON, deadline()).unwrap();
        assert_eq!(two.pop(&["k"], deadline()).unwrap(), Some(("k".to_owned(), b"v".to_vec())));

        let (one, two) = (store("memory://"), store("memory://"));
        one.push("k", b"v", SOON, deadline()).unwrap();
        assert_eq!(two.pop(&["k"], SystemClock.deadline(Duration::ZERO)).unwrap(), None);
    }

    #[test]
    fn other_urls_are_refused_and_not_quoted() {
        for url in [
            "",
            "canary",
            "http://:canary@host",
            "memory://a/canary",
            "memory://canary@b",
            "rediss://:canary@h#insecure",
        ] {
            let Err(Error::Config { why }) = open(url, Arc::new(SystemClock)) else { panic!("{url} was accepted") };
            assert!(!why.contains("canary"), "{why}");
        }
    }
}
