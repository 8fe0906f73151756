//! Idempotency records on Redis: the scripts, and how their replies are read. Each call is one EVAL, so the server runs it
//! in one step, by its own clock. Sends nothing.
//!
//! A record is a string: `lease:` and the owner; or `done:`, the length of the owner's name, `:`, the name and the recorded
//! bytes. The key expires with the lease, or with the record's ttl.

use std::time::Duration;

use r2d2_redis::redis::{Cmd, Value, cmd};

use super::io_failure::IoFailure;
use crate::Claim;

/// Reads the key. A value that is not a record ends the script with an error reply.
const READ: &str = "\
local held = redis.pcall('GET', KEYS[1])
if type(held) == 'table' then return held end
local lease, done = 'lease:' .. ARGV[1], 'done:' .. #ARGV[1] .. ':' .. ARGV[1]
if held and held:sub(1, 6) ~= 'lease:' and held:sub(1, 5) ~= 'done:' then
  return redis.error_reply('WRONGTYPE the key holds no record')
end
";

const CLAIM: &str = "\
if held and held:sub(1, 5) == 'done:' then
  local colon = held:find(':', 6, true)
  return {2, held:sub(colon + 1 + tonumber(held:sub(6, colon - 1)))}
end
if held and held ~= lease then return {1, redis.call('PTTL', KEYS[1])} end
redis.call('SET', KEYS[1], lease, 'PX', ARGV[2])
return {0}
";

const RENEW: &str = "\
if held ~= lease then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
";

const COMPLETE: &str = "\
if held and held ~= lease and held:sub(1, #done) ~= done then return 0 end
redis.call('SET', KEYS[1], done .. ARGV[3], 'PX', ARGV[2])
return 1
";

const RELEASE: &str = "\
if held == lease then redis.call('DEL', KEYS[1]) end
return 1
";

fn script(body: &str, key: &str, owner: &str) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(format!("{READ}{body}")).arg(1).arg(key).arg(owner);
    command
}

pub(super) fn claim(key: &str, owner: &str, millis: u64) -> Cmd {
    let mut command = script(CLAIM, key, owner);
    command.arg(millis);
    command
}

pub(super) fn renew(key: &str, owner: &str, millis: u64) -> Cmd {
    let mut command = script(RENEW, key, owner);
    command.arg(millis);
    command
}

pub(super) fn complete(key: &str, owner: &str, record: &[u8], millis: u64) -> Cmd {
    let mut command = script(COMPLETE, key, owner);
    command.arg(millis).arg(record);
    command
}

pub(super) fn release(key: &str, owner: &str) -> Cmd {
    script(RELEASE, key, owner)
}

/// Reads the reply to a claim.
pub(super) fn claimed(reply: Value) -> Result<Claim, IoFailure> {
    let Value::Bulk(mut parts) = reply else { return Err(IoFailure::Garbage) };
    let last = parts.pop();
    match (parts.as_slice(), last) {
        ([], Some(Value::Int(0))) => Ok(Claim::Granted),
        ([Value::Int(1)], Some(Value::Int(millis))) => {
            // A lease that ends within this millisecond has 0 ms left.
            let millis = u64::try_from(millis).map_err(|_| IoFailure::Garbage)?.max(1);
            Ok(Claim::Held { for_at_most: Duration::from_millis(millis) })
        }
        ([Value::Int(2)], Some(Value::Data(record))) => Ok(Claim::Completed(record)),
        _ => Err(IoFailure::Garbage),
    }
}

/// Reads the reply to the other scripts: whether they changed the record.
pub(super) fn done(reply: &Value) -> Result<bool, IoFailure> {
    match reply {
        Value::Int(0) => Ok(false),
        Value::Int(1) => Ok(true),
        _ => Err(IoFailure::Garbage),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_replies_of_these_scripts_are_accepted() {
        let bulk = |parts: &[Value]| claimed(Value::Bulk(parts.to_vec()));
        assert_eq!(bulk(&[Value::Int(0)]).unwrap(), Claim::Granted);
        let held = bulk(&[Value::Int(1), Value::Int(0)]).unwrap();
        assert_eq!(held, Claim::Held { for_at_most: Duration::from_millis(1) });
        assert_eq!(bulk(&[Value::Int(2), Value::Data(vec![7])]).unwrap(), Claim::Completed(vec![7]));
        for wrong in [
            &[][..],
            &[Value::Int(1)],
            &[Value::Int(3)],
            &[Value::Int(1), Value::Int(-1)],
            &[Value::Int(2), Value::Nil],
            &[Value::Int(0), Value::Int(0)],
            &[Value::Int(2), Value::Int(2), Value::Data(vec![7])],
        ] {
            assert!(matches!(bulk(wrong), Err(IoFailure::Garbage)), "{wrong:?}");
        }
        assert!(matches!(claimed(Value::Okay), Err(IoFailure::Garbage)));
        assert!(done(&Value::Int(1)).unwrap() && !done(&Value::Int(0)).unwrap());
        assert!(done(&Value::Int(2)).is_err() && done(&Value::Nil).is_err());
    }
}
