//! The properties of a store's server, for diagnosis.

use std::time::SystemTime;

/// The properties of a store's server, from [`ReplyStore::inspect`](crate::ReplyStore::inspect). A property is `None` if the
/// server does not report it, or if the user may not ask for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreInspection {
    /// Product and version, such as `Redis 7.0.15`.
    pub server: Option<String>,
    /// Whether the server is a replica, which stores no answers.
    pub is_replica: Option<bool>,
    /// The memory limit in bytes (`maxmemory`). 0 is no limit.
    pub max_memory: Option<u64>,
    /// The keys that are evicted at the memory limit (`maxmemory-policy`), such as `noeviction`.
    pub eviction: Option<String>,
    /// The number of keys that were evicted since the server started.
    pub evicted: Option<u64>,
    /// The server's time of day.
    pub time: Option<SystemTime>,
}
