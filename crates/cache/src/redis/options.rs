//! What can be set for a reply store on Redis. Reads no environment.

use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::Clock;

use super::RedisUrl;

/// Settings of a [`RedisReplyStore`](super::RedisReplyStore). Made with the defaults; the
/// fields may be changed. `Debug` shows no password.
///
/// ```
/// use std::sync::Arc;
/// use zc_events_cache::redis::{RedisOptions, RedisReplyStore, RedisUrl};
/// use zc_events_protocol::SystemClock;
///
/// let mut options = RedisOptions::new(RedisUrl::parse("redis://cache.internal/1")?, Arc::new(SystemClock));
/// options.pool_size = 32;
/// let store = RedisReplyStore::new(options)?; // does not connect
/// # Ok::<(), zc_events_cache::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedisOptions {
    /// The server.
    pub url: RedisUrl,
    /// How many connections may wait for answers, and how many may push, at the same time, opened
    /// as they are needed. More calls than that may wait: they share one more
    /// connection, so up to twice this number and one are open. Pushes, and calls about
    /// records, wait for a free connection by their deadlines. 16.
    pub pool_size: u32,
    /// How long opening a connection may take, with lookup and login, when the caller's
    /// deadline leaves more. 3 s.
    pub connect_timeout: Duration,
    /// The largest answer in bytes that is read; a larger value is lost when it is popped. 64 MiB.
    pub max_reply: usize,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
}

impl RedisOptions {
    /// The defaults for `url`.
    #[must_use]
    pub fn new(url: RedisUrl, clock: Arc<dyn Clock>) -> Self {
        Self { url, pool_size: 16, connect_timeout: Duration::from_secs(3), max_reply: 64 * 1024 * 1024, clock }
    }
}
