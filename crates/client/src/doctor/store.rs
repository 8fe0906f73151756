//! Redis: whether answers can be pushed and awaited there, and whether it may throw them away.

use zc_events_cache::StoreInspection;
use zc_events_cache::redis::{Hurdle, Reach};

use super::finding::{Check, Finding};
use super::servers::IN_MEMORY;
use crate::Error;

/// Said where there is no store.
pub(super) const NO_REDIS: &str = "EVENTS_REDIS_URL is not set";

/// Whether one gets in, and what the server says of itself.
pub(super) fn login(way: Option<&Reach>, found: Option<&Result<StoreInspection, Error>>) -> Finding {
    const CHECK: Check = Check::Redis;
    const LOGIN: &str = "check user, password and database in EVENTS_REDIS_URL";
    if let Some(obstacle) = way.and_then(|way| way.obstacle.as_ref()) {
        return match obstacle.at {
            Hurdle::Login => Finding::failed(CHECK, obstacle.error.to_string(), LOGIN),
            Hurdle::Name => Finding::skipped(CHECK, format!("{} failed", Check::Dns)),
            Hurdle::Tls => Finding::skipped(CHECK, format!("{} failed", Check::Tls)),
            _ => Finding::skipped(CHECK, format!("{} failed", Check::Tcp)),
        };
    }
    match (way, found) {
        (_, None) => Finding::skipped(CHECK, NO_REDIS),
        (_, Some(Err(error))) => Finding::failed(CHECK, error.to_string(), LOGIN),
        (None, Some(Ok(_))) => Finding::ok(CHECK, IN_MEMORY),
        (Some(way), Some(Ok(found))) => {
            let server = found.server.as_deref().unwrap_or("Redis");
            let seen = format!("{server} at {} lets us in", way.place);
            if found.is_replica == Some(true) {
                let seen = format!("{server} at {} is a replica, which takes no answers", way.place);
                return Finding::failed(CHECK, seen, "EVENTS_REDIS_URL must lead to the master");
            }
            Finding::ok(CHECK, seen)
        }
    }
}

/// Whether answers may be thrown away before they are read.
pub(super) fn eviction(found: Option<&StoreInspection>) -> Finding {
    const CHECK: Check = Check::Eviction;
    let Some(found) = found else { return Finding::skipped(CHECK, "Redis is not there to be asked") };
    let (Some(policy), Some(limit)) = (&found.eviction, found.max_memory) else {
        let remedy = "let the user ask INFO, or look at `redis-cli config get maxmemory-policy`";
        return Finding::unknown(CHECK, "Redis does not tell its maxmemory-policy", remedy);
    };
    match (policy.as_str(), limit) {
        (_, 0) => Finding::ok(CHECK, format!("no limit of memory (policy {policy})")),
        ("noeviction", limit) => Finding::ok(CHECK, format!("noeviction, with a limit of {} MiB", limit >> 20)),
        (policy, limit) => {
            let so_far = found.evicted.map(|keys| format!(", {keys} keys so far")).unwrap_or_default();
            let seen = format!("{policy}, with a limit of {} MiB: answers may be thrown away{so_far}", limit >> 20);
            Finding::warning(CHECK, seen, "`maxmemory-policy noeviction`, or a Redis of its own for answers")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;

    fn found(policy: &str, limit: u64) -> StoreInspection {
        let mut found = StoreInspection::default();
        (found.eviction, found.max_memory, found.evicted) = (Some(policy.to_owned()), Some(limit), Some(7));
        found
    }

    #[test]
    fn a_policy_matters_where_there_is_a_limit() {
        for (policy, limit, status) in [
            ("noeviction", 0, Status::Ok),
            ("allkeys-lru", 0, Status::Ok),
            ("noeviction", 64 << 20, Status::Ok),
            ("volatile-ttl", 64 << 20, Status::Warning),
        ] {
            assert_eq!(eviction(Some(&found(policy, limit))).status, status, "{policy} {limit}");
        }
        assert!(eviction(Some(&found("allkeys-lru", 64 << 20))).seen.contains("64 MiB"));
        assert!(eviction(Some(&found("allkeys-lru", 64 << 20))).seen.contains("7 keys"));
        assert_eq!(eviction(Some(&StoreInspection::default())).status, Status::Unknown);
        assert_eq!(eviction(None).status, Status::Skipped);
    }

    #[test]
    fn a_replica_takes_no_answers() {
        let way = Reach::default();
        let mut found = StoreInspection::default();
        found.is_replica = Some(true);
        assert_eq!(login(Some(&way), Some(&Ok(found))).status, Status::Failed);
        assert_eq!(login(Some(&way), Some(&Ok(StoreInspection::default()))).status, Status::Ok);
        assert_eq!(login(None, None).status, Status::Skipped);
    }
}
