//! The settings of a reply store on Redis. Reads no environment.

use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::Clock;

use super::url::RedisUrl;

/// The settings of a [`RedisReplyStore`](super::RedisReplyStore). [`RedisOptions::new`] sets the defaults; change the fields
/// as you need. `Debug` shows no password.
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
    /// How many connections send commands at the same time, and how many wait for answers: up to twice this number are
    /// open, each opened when it is first needed. Any number of calls may wait for answers: beyond this number they share
    /// these connections. Pushes, and calls about records, wait for a free connection by their deadlines. 16.
    pub pool_size: u32,
    /// How long opening a connection may take, with name resolution and login, if the caller's deadline is later. 3 s.
    pub connect_timeout: Duration,
    /// The largest answer that is read, in bytes. A larger answer is lost when it is popped. 64 MiB.
    pub max_reply: usize,
    /// The clock of all deadlines.
    pub clock: Arc<dyn Clock>,
}

impl RedisOptions {
    /// The defaults for `url`.
    #[must_use]
    pub fn new(url: RedisUrl, clock: Arc<dyn Clock>) -> Self {
        Self { url, pool_size: 16, connect_timeout: Duration::from_secs(3), max_reply: 64 * 1024 * 1024, clock }
    }
}
