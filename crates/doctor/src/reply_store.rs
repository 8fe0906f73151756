//! Redis: whether it stores replies, and whether it may evict them.

use zc_events::Error;
use zc_events_cache::StoreInspection;
use zc_events_cache::redis::{ConnectStep, RedisProbe};

use crate::check::Check;
use crate::connectivity::IN_MEMORY;
use crate::finding::Finding;

/// Seen if there is no store.
const NOT_SET: &str = "EVENTS_REDIS_URL is not set";

/// Whether the login succeeds and replies can be stored. `probe` is `None` if the store is in memory or not set.
pub(crate) fn login(probe: Option<&RedisProbe>, inspected: Option<&Result<StoreInspection, Error>>) -> Finding {
    const CHECK: Check = Check::Redis;
    const LOGIN: &str = "check user, password and database in EVENTS_REDIS_URL";
    if let Some(failure) = probe.and_then(|probe| probe.failure.as_ref()) {
        return match failure.step {
            ConnectStep::Login => Finding::failed(CHECK, failure.error.to_string(), LOGIN),
            ConnectStep::Resolve => Finding::skipped(CHECK, format!("{} failed", Check::Dns)),
            ConnectStep::Tls => Finding::skipped(CHECK, format!("{} failed", Check::Tls)),
            _ => Finding::skipped(CHECK, format!("{} failed", Check::Tcp)),
        };
    }
    match (probe, inspected) {
        (_, None) => Finding::skipped(CHECK, NOT_SET),
        (_, Some(Err(error))) => Finding::failed(CHECK, error.to_string(), LOGIN),
        (None, Some(Ok(_))) => Finding::ok(CHECK, IN_MEMORY),
        (Some(probe), Some(Ok(found))) => {
            let server = found.server.as_deref().unwrap_or("Redis");
            if found.is_replica == Some(true) {
                let seen = format!("{server} at {} is a read-only replica: replies cannot be stored", probe.address);
                return Finding::failed(CHECK, seen, "set EVENTS_REDIS_URL to the primary server");
            }
            Finding::ok(CHECK, format!("{server} at {}: login ok", probe.address))
        }
    }
}

/// Whether Redis may evict replies before they are read.
pub(crate) fn eviction(is_set: bool, inspected: Option<&StoreInspection>) -> Finding {
    const CHECK: Check = Check::Eviction;
    let Some(found) = inspected else {
        return Finding::skipped(CHECK, if is_set { "Redis is unreachable" } else { NOT_SET });
    };
    let (Some(policy), Some(limit)) = (&found.eviction, found.max_memory) else {
        let remedy = "allow the user to run INFO, or look at `redis-cli config get maxmemory-policy`";
        return Finding::unknown(CHECK, "Redis does not report its maxmemory-policy", remedy);
    };
    let mebibytes = limit >> 20;
    match (policy.as_str(), limit) {
        (_, 0) => Finding::ok(CHECK, format!("no memory limit (policy {policy})")),
        ("noeviction", _) => Finding::ok(CHECK, format!("noeviction, memory limit {mebibytes} MiB")),
        (policy, _) => {
            let so_far = found.evicted.map(|keys| format!(" ({keys} keys so far)")).unwrap_or_default();
            let seen = format!("{policy}, memory limit {mebibytes} MiB: Redis may evict replies{so_far}");
            Finding::warning(CHECK, seen, "set `maxmemory-policy noeviction`, or use a separate Redis for replies")
        }
    }
}

#[cfg(test)]
mod tests {
    use zc_events_cache::redis::ConnectTrace;

    use super::*;
    use crate::finding::Status;

    fn found(policy: &str, limit: u64) -> StoreInspection {
        let mut found = StoreInspection::default();
        (found.eviction, found.max_memory, found.evicted) = (Some(policy.to_owned()), Some(limit), Some(7));
        found
    }

    #[test]
    fn eviction_matters_if_memory_is_limited() {
        let eviction = |found: &StoreInspection| super::eviction(true, Some(found));
        for (policy, limit, status) in [
            ("noeviction", 0, Status::Ok),
            ("allkeys-lru", 0, Status::Ok),
            ("noeviction", 64 << 20, Status::Ok),
            ("volatile-ttl", 64 << 20, Status::Warning),
        ] {
            assert_eq!(eviction(&found(policy, limit)).status, status, "{policy} {limit}");
        }
        let seen = eviction(&found("allkeys-lru", 64 << 20)).seen;
        assert!(seen.contains("64 MiB") && seen.contains("7 keys"), "{seen}");
        assert_eq!(eviction(&StoreInspection::default()).status, Status::Unknown);
        assert_eq!(super::eviction(true, None).status, Status::Skipped);
    }

    #[test]
    fn a_replica_cannot_store_replies() {
        let probe = RedisProbe::new("redis:6379", false, ConnectTrace::default(), None);
        let mut found = StoreInspection::default();
        found.is_replica = Some(true);
        assert_eq!(login(Some(&probe), Some(&Ok(found))).status, Status::Failed);
        assert_eq!(login(Some(&probe), Some(&Ok(StoreInspection::default()))).status, Status::Ok);
        assert_eq!(login(None, None).status, Status::Skipped);
    }
}
