//! The commands of those who wait: how they are written, and what their answers mean. Nothing
//! is sent from here.

use std::time::Duration;

use r2d2_redis::redis::{Cmd, Value, cmd};
use zc_events_protocol::Deadline;

use super::connect::Connector;
use super::link::{Link, Trouble};
use super::refusal;
use super::watch::Watch;
use crate::waiters::Found;

/// How long one BLPOP waits at most: after that the server shows that it lives.
pub(super) const SLICE: Duration = Duration::from_secs(1);
/// How late the end of a BLPOP may come before the connection is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How late the end of a BLPOP may come before the server counts as stalled. One that has
/// nothing to do looks at its timeouts ten times a second.
pub(super) const OVERDUE: Duration = Duration::from_millis(300);
/// How many keys are looked at in one go.
pub(super) const BATCH: usize = 256;
/// The shortest BLPOP. Zero would wait for ever.
const SHORTEST: Duration = Duration::from_millis(10);
/// How long an answer lives that is put back: Redis forgets the ttl of what it gave.
const PUT_BACK_TTL: u64 = 60;

/// To the front, where it was; the list keeps the ttl it has.
const PUT_BACK: &str = "\
if redis.call('LPUSH', KEYS[1], ARGV[1]) == 1 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return 1
";

/// BLPOP in whole seconds where they are, which servers older than Redis 6 understand too;
/// otherwise in milliseconds, rounded up. Never zero.
pub(super) fn blpop(keys: &[impl AsRef<str>], slice: Duration) -> Cmd {
    let slice = slice.max(SHORTEST);
    let mut command = cmd("BLPOP");
    for key in keys {
        command.arg(key.as_ref());
    }
    if slice.subsec_nanos() == 0 {
        command.arg(slice.as_secs());
    } else {
        let millis = slice.as_nanos().div_ceil(1_000_000);
        command.arg(format!("{}.{:03}", millis / 1000, millis % 1000));
    }
    command
}

/// What a BLPOP says, if it is about a key that was asked for.
pub(super) fn found(value: Value, keys: &[impl AsRef<str>]) -> Result<Option<Found>, Trouble> {
    let mut pair = match value {
        Value::Nil => return Ok(None),
        Value::Bulk(pair) => pair.into_iter(),
        _ => return Err(Trouble::Garbage),
    };
    match (pair.next(), pair.next(), pair.next()) {
        (Some(Value::Data(key)), Some(Value::Data(value)), None) => {
            let key = keys.iter().find(|asked| asked.as_ref().as_bytes() == key).ok_or(Trouble::Garbage)?;
            Ok(Some((key.as_ref().to_owned(), value)))
        }
        _ => Err(Trouble::Garbage),
    }
}

/// Puts an answer back that was taken for a caller who has left; one that cannot be is counted.
pub(super) fn put_back(connector: &Connector, watch: &Watch, link: &mut Link, (key, value): Found, until: Deadline) {
    let mut command = cmd("EVAL");
    command.arg(PUT_BACK).arg(1).arg(key).arg(value).arg(PUT_BACK_TTL);
    match connector.ask(link, &command, until) {
        Ok(Ok(Value::Int(1))) => {}
        Ok(Ok(_)) => {
            link.spoil();
            watch.lost(&connector.url, "its answer makes no sense");
        }
        Ok(Err(error)) => {
            let why = refusal::refused(&connector.url, "to take it back", &error);
            watch.lost(&connector.url, &why.to_string());
        }
        Err(_) => watch.lost(&connector.url, "the connection was lost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout(slice: Duration) -> String {
        let packed = blpop(&["k"], slice).get_packed_command();
        String::from_utf8(packed).unwrap().trim_end().rsplit("\r\n").next().unwrap().to_owned()
    }

    #[test]
    fn blpop_zero_is_never_sent() {
        assert_eq!(timeout(Duration::ZERO), "0.010");
        assert_eq!(timeout(Duration::from_nanos(1)), "0.010");
        assert_eq!(timeout(Duration::from_micros(10_001)), "0.011");
        assert_eq!(timeout(Duration::from_millis(999)), "0.999");
        assert_eq!(timeout(Duration::from_nanos(999_999_999)), "1.000");
        assert_eq!(timeout(SLICE), "1");
        assert_eq!(timeout(Duration::from_millis(1450)), "1.450");
    }

    #[test]
    fn only_a_key_that_was_asked_for_is_found() {
        let pair = |key: &str| Value::Bulk(vec![Value::Data(key.into()), Value::Data(vec![1])]);
        assert_eq!(found(pair("b"), &["a", "b"]).unwrap(), Some(("b".to_owned(), vec![1])));
        assert_eq!(found(Value::Nil, &["a"]).unwrap(), None);
        for wrong in [pair("c"), Value::Okay, Value::Int(1), Value::Bulk(vec![]), Value::Bulk(vec![Value::Nil; 2])] {
            assert!(matches!(found(wrong, &["a", "b"]), Err(Trouble::Garbage)));
        }
    }
}
