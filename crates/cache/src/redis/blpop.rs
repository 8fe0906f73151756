//! The commands BLPOP and LPUSH of waiting calls: how they are written, and how their replies are read.

use std::time::Duration;

use r2d2_redis::redis::{Cmd, Value, cmd};
use zc_events_protocol::Deadline;

use super::connection::RedisConnection;
use super::connector::RedisConnector;
use super::error_mapping;
use super::health_tracker::HealthTracker;
use super::io_failure::IoFailure;
use crate::waiters::Found;

/// What a waiting call does, in words for its errors.
pub(super) const WAITING: &str = "waiting for an answer, which may have been taken and lost,";
/// One BLPOP waits for this long at most, so that a server shows that it is alive. Whole seconds, because servers older
/// than Redis 6 know no others.
pub(super) const SLICE: Duration = Duration::from_secs(1);
/// A reply may be this late before the connection is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// A reply may be this late before the server counts as stalled. An idle server looks at its timeouts ten times a second.
pub(super) const OVERDUE: Duration = Duration::from_millis(300);
/// How long an answer lives that is put back, in seconds: Redis forgets the ttl of a value that it has handed out.
const PUT_BACK_TTL: u64 = 60;

/// Puts a value back to the front of its list. A list that still exists keeps its ttl.
const PUT_BACK: &str = "\
if redis.call('LPUSH', KEYS[1], ARGV[1]) == 1 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return 1
";

/// BLPOP for `keys` that waits for [`SLICE`].
pub(super) fn blpop<'a>(keys: impl IntoIterator<Item = &'a str>) -> Cmd {
    let mut command = cmd("BLPOP");
    for key in keys {
        command.arg(key);
    }
    command.arg(SLICE.as_secs());
    command
}

/// The value in the reply to a BLPOP. The key of the value must be one of `keys`.
pub(super) fn found<'a>(reply: Value, keys: impl IntoIterator<Item = &'a str>) -> Result<Option<Found>, IoFailure> {
    let mut pair = match reply {
        Value::Nil => return Ok(None),
        Value::Bulk(pair) => pair.into_iter(),
        _ => return Err(IoFailure::Garbage),
    };
    match (pair.next(), pair.next(), pair.next()) {
        (Some(Value::Data(key)), Some(Value::Data(value)), None) => {
            let key = keys.into_iter().find(|asked| asked.as_bytes() == key).ok_or(IoFailure::Garbage)?;
            Ok(Some((key.to_owned(), value)))
        }
        _ => Err(IoFailure::Garbage),
    }
}

/// The key in the reply to a BLPOP whose value was too large to be read.
pub(super) fn key_of_large_value(unread: &[u8]) -> Option<&str> {
    let rest = unread.strip_prefix(b"*2\r\n$")?;
    let end = rest.iter().position(|&byte| byte == b'\r')?;
    let length: usize = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    let key = rest.get(end + 2..)?.get(..length)?;
    std::str::from_utf8(key).ok()
}

/// Puts an answer back that was taken for a caller that has left. Counts an answer that cannot be put back.
pub(super) fn put_back(
    connector: &RedisConnector,
    health: &HealthTracker,
    connection: &mut RedisConnection,
    (key, value): Found,
    until: Deadline,
) {
    let mut command = cmd("EVAL");
    command.arg(PUT_BACK).arg(1).arg(key).arg(value).arg(PUT_BACK_TTL);
    match connector.call(connection, &command, until) {
        Ok(Ok(Value::Int(1))) => {}
        Ok(Ok(_)) => {
            connection.poison();
            health.lost(&connector.url, "its reply is of the wrong type");
        }
        Ok(Err(error)) => {
            let why = error_mapping::refused(&connector.url, "to take it back", &error);
            health.lost(&connector.url, &why.to_string());
        }
        Err(_) => health.lost(&connector.url, "the connection was lost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blpop_waits_for_whole_seconds_and_never_for_ever() {
        let packed = String::from_utf8(blpop(["k"]).get_packed_command()).unwrap();
        assert_eq!(packed, "*3\r\n$5\r\nBLPOP\r\n$1\r\nk\r\n$1\r\n1\r\n");
    }

    #[test]
    fn only_a_key_of_the_command_is_accepted() {
        let pair = |key: &str| Value::Bulk(vec![Value::Data(key.into()), Value::Data(vec![1])]);
        assert_eq!(found(pair("b"), ["a", "b"]).unwrap(), Some(("b".to_owned(), vec![1])));
        assert_eq!(found(Value::Nil, ["a"]).unwrap(), None);
        for wrong in [pair("c"), Value::Okay, Value::Int(1), Value::Bulk(vec![]), Value::Bulk(vec![Value::Nil; 2])] {
            assert!(matches!(found(wrong, ["a", "b"]), Err(IoFailure::Garbage)));
        }
    }

    #[test]
    fn the_key_of_a_large_value_is_read() {
        assert_eq!(key_of_large_value(b"*2\r\n$3\r\na\r\n\r\n$99999\r\n"), Some("a\r\n"));
        assert_eq!(key_of_large_value(b"*2\r\n$3\r\nkey\r\n$99999\r\n"), Some("key"));
        for other in [&b""[..], b"*2\r\n", b"*2\r\n$x\r\nkey", b"*2\r\n$18446744073709551615\r\nkey", b"$9\r\n"] {
            assert_eq!(key_of_large_value(other), None);
        }
    }
}
