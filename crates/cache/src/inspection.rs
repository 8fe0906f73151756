//! What a store tells of its server, for diagnosis.

use std::time::SystemTime;

/// What a server tells of itself; made by [`ReplyStore::inspect`](crate::ReplyStore::inspect).
/// What it does not tell, or the user may not ask, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreInspection {
    /// What it is, such as `Redis 7.0.15`.
    pub server: Option<String>,
    /// Whether it is a replica, which takes no answers.
    pub is_replica: Option<bool>,
    /// How much it may keep, in bytes; 0 for no limit.
    pub max_memory: Option<u64>,
    /// What it throws away when that is reached (`maxmemory-policy`), such as `noeviction`.
    pub eviction: Option<String>,
    /// How many keys it has thrown away for that since it started.
    pub evicted: Option<u64>,
    /// Its time of day, at the moment of asking.
    pub time: Option<SystemTime>,
}
