//! Reads the replies to `INFO` and `TIME`. Sends nothing.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use r2d2_redis::redis::Value;

use super::io_failure::IoFailure;
use crate::StoreInspection;

/// Reads the reply to `INFO`: lines of `name:value`, in sections that begin with `#`.
pub(super) fn info(reply: &Value) -> Result<StoreInspection, IoFailure> {
    let Value::Data(bytes) = reply else { return Err(IoFailure::Garbage) };
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

/// Reads the reply to `TIME`: seconds and microseconds, both as strings.
pub(super) fn time(reply: &Value) -> Result<SystemTime, IoFailure> {
    let number = |value: &Value| match value {
        Value::Data(digits) => std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok()),
        _ => None,
    };
    let Value::Bulk(parts) = reply else { return Err(IoFailure::Garbage) };
    let [Some(seconds), Some(micros)] = [parts.first().and_then(number), parts.get(1).and_then(number)] else {
        return Err(IoFailure::Garbage);
    };
    let since = Duration::from_secs(seconds).checked_add(Duration::from_micros(micros));
    since.and_then(|since| UNIX_EPOCH.checked_add(since)).ok_or(IoFailure::Garbage)
}

/// Whether the value is short and printable.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.len() <= 64 && value.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::super::fake_server::{FakeServer, healthy, within};
    use super::*;
    use crate::ReplyStore;

    fn data(text: &str) -> Value {
        Value::Data(text.as_bytes().to_vec())
    }

    #[test]
    fn info_is_read() {
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
        assert!(matches!(info(&Value::Okay), Err(IoFailure::Garbage)));
    }

    #[test]
    fn time_is_read() {
        let read = time(&Value::Bulk(vec![data("1700000000"), data("250000")])).unwrap();
        assert_eq!(read.duration_since(UNIX_EPOCH).unwrap(), Duration::from_millis(1_700_000_000_250));
        for wrong in [Value::Okay, Value::Bulk(vec![]), Value::Bulk(vec![data("now"), data("0")]), data("1")] {
            assert!(matches!(time(&wrong), Err(IoFailure::Garbage)));
        }
        let far = Value::Bulk(vec![data("18446744073709551615"), data("18446744073709551615")]);
        assert!(matches!(time(&far), Err(IoFailure::Garbage)));
    }

    /// A strict ACL forbids both commands.
    #[test]
    fn a_forbidden_command_is_not_an_error() {
        let server = FakeServer::answering(|command| match command[0].as_str() {
            "INFO" | "TIME" => Some("-NOPERM this user has no permissions to run that command\r\n".to_owned()),
            _ => healthy(command),
        });
        assert_eq!(server.store().inspect(within(5000)).unwrap(), StoreInspection::default());
        let server = FakeServer::answering(|command| match command[0].as_str() {
            "INFO" => Some(":0\r\n".to_owned()),
            _ => healthy(command),
        });
        assert!(server.store().inspect(within(5000)).is_err(), "a reply of another type");
    }
}
