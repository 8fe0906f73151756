//! Reads what a server tells of itself: the answers to `INFO` and `TIME`. Nothing is sent from here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use r2d2_redis::redis::Value;

use super::link::Trouble;
use crate::StoreInspection;

/// `INFO`: lines of `name:value`, in sections that begin with `#`.
pub(super) fn info(answer: &Value) -> Result<StoreInspection, Trouble> {
    let Value::Data(bytes) = answer else { return Err(Trouble::Garbage) };
    let text = String::from_utf8_lossy(bytes);
    let find = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.trim_end().split_once(':'));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim()).filter(|value| is_plain(value))
    };
    Ok(StoreInspection {
        server: find("redis_version").map(|version| format!("Redis {version}")),
        is_replica: find("role").map(|role| role != "master"),
        max_memory: find("maxmemory").and_then(|bytes| bytes.parse().ok()),
        eviction: find("maxmemory_policy").map(str::to_owned),
        evicted: find("evicted_keys").and_then(|keys| keys.parse().ok()),
        time: None,
    })
}

/// `TIME`: seconds and microseconds, both as texts.
pub(super) fn time(answer: &Value) -> Result<SystemTime, Trouble> {
    let number = |value: &Value| match value {
        Value::Data(digits) => std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok()),
        _ => None,
    };
    let Value::Bulk(parts) = answer else { return Err(Trouble::Garbage) };
    let [Some(seconds), Some(micros)] = [parts.first().and_then(number), parts.get(1).and_then(number)] else {
        return Err(Trouble::Garbage);
    };
    let since = Duration::from_secs(seconds).checked_add(Duration::from_micros(micros));
    since.and_then(|since| UNIX_EPOCH.checked_add(since)).ok_or(Trouble::Garbage)
}

/// Whether it can be shown.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.len() <= 64 && value.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Server, healthy, within};
    use super::*;
    use crate::ReplyStore;

    fn data(text: &str) -> Value {
        Value::Data(text.as_bytes().to_vec())
    }

    #[test]
    fn what_a_server_tells_is_read() {
        let text = "# Server\r\nredis_version:7.0.15\r\n\r\n# Memory\r\nmaxmemory:1048576\r\nmaxmemory_human:1.00M\r\n\
                    maxmemory_policy:allkeys-lru\r\n# Stats\r\nevicted_keys:3\r\n# Replication\r\nrole:slave\r\n";
        let found = info(&data(text)).unwrap();
        let expected = StoreInspection {
            server: Some("Redis 7.0.15".to_owned()),
            is_replica: Some(true),
            max_memory: Some(1_048_576),
            eviction: Some("allkeys-lru".to_owned()),
            evicted: Some(3),
            time: None,
        };
        assert_eq!(found, expected);
        assert_eq!(info(&data("redis_version:\x1b[31m\r\nmaxmemory:much")).unwrap(), StoreInspection::default());
        assert!(matches!(info(&Value::Okay), Err(Trouble::Garbage)));
    }

    #[test]
    fn its_time_is_read() {
        let read = time(&Value::Bulk(vec![data("1700000000"), data("250000")])).unwrap();
        assert_eq!(read.duration_since(UNIX_EPOCH).unwrap(), Duration::from_millis(1_700_000_000_250));
        for wrong in [Value::Okay, Value::Bulk(vec![]), Value::Bulk(vec![data("now"), data("0")]), data("1")] {
            assert!(matches!(time(&wrong), Err(Trouble::Garbage)));
        }
        let far = Value::Bulk(vec![data("18446744073709551615"), data("18446744073709551615")]);
        assert!(matches!(time(&far), Err(Trouble::Garbage)));
    }

    /// Under a strict ACL a user may ask neither.
    #[test]
    fn what_the_user_may_not_ask_is_not_told_and_no_error() {
        let server = Server::answering(|command| match command[0].as_str() {
            "INFO" | "TIME" => Some("-NOPERM this user has no permissions to run that command\r\n".to_owned()),
            _ => healthy(command),
        });
        assert_eq!(server.store().inspect(within(5000)).unwrap(), StoreInspection::default());
        let server = Server::answering(|command| match command[0].as_str() {
            "INFO" => Some(":0\r\n".to_owned()),
            _ => healthy(command),
        });
        assert!(server.store().inspect(within(5000)).is_err(), "an answer that makes no sense");
    }
}
