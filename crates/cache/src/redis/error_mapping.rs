//! Maps error replies and I/O failures to this crate's errors. A server may quote a command with its arguments (`unknown
//! command .., with args beginning with: ..`): no error shows a password or a value.

use r2d2_redis::redis::RedisError;
use zc_events_protocol::Stage;

use super::io_failure::IoFailure;
use super::url::RedisUrl;
use crate::Error;

/// Codes of states that end by themselves.
const TRANSIENT: [&str; 6] = ["LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "UNBLOCKED"];
/// Codes after which a new connection may reach another server.
const MOVED_ON: [&str; 5] = ["LOADING", "MASTERDOWN", "UNBLOCKED", "READONLY", "NOAUTH"];

/// The error for a server that refused `doing`.
pub(super) fn refused(url: &RedisUrl, doing: &str, error: &RedisError) -> Error {
    let code = code(error);
    let what = format!("Redis at {} refused {doing} ({})", url.address(), said(url, error));
    if TRANSIENT.contains(&code) || is_full(error) {
        return Error::Unavailable { what: format!("{what}: it may succeed later"), source: None };
    }
    let advice = match code {
        "NOAUTH" => "put the password into the URL, redis://:password@host",
        "WRONGPASS" => "check the user name and the password in the URL",
        "NOPERM" => {
            "the user may not do that to this key (ACL SETUSER); the documentation of zc_events_cache::redis lists what is needed"
        }
        "OOM" => "it has no memory left (maxmemory)",
        "READONLY" => "it is a replica; the URL must name the master",
        "WRONGTYPE" => "the key holds something else",
        "MISCONF" => "it cannot write its data to disk; its log says why",
        "MOVED" | "ASK" | "CROSSSLOT" => "Redis Cluster is not supported; name a single server",
        "DENIED" => "it is in protected mode: bind it to an address or give it a password",
        _ => "its log may say more",
    };
    Error::Rejected { why: format!("{what}: {advice}") }
}

/// The error for a refused login. It repeats the server's error code, and not its words.
pub(super) fn login_refused(url: &RedisUrl, error: &RedisError) -> Error {
    if TRANSIENT.contains(&code(error)) || is_full(error) || matches!(code(error), "DENIED") {
        return refused(url, "the connection", error);
    }
    let detail = error.detail().unwrap_or_default();
    let why = if detail.contains("without any password") || detail.contains("no password is set") {
        "it has no password set, and the URL has one".to_owned()
    } else {
        format!("{}; check the user name and the password in the URL", word(code(error)))
    };
    Error::Rejected { why: format!("Redis at {} refused the login ({why})", url.address()) }
}

/// The error for an I/O failure while `doing`. `ended` says whether the caller's own deadline has passed.
pub(super) fn io_failed(url: &RedisUrl, doing: &str, stage: Stage, ended: bool, failure: IoFailure) -> Error {
    let address = url.address();
    let (what, source): (_, Option<Box<dyn std::error::Error + Send + Sync>>) = match failure {
        IoFailure::TimedOut if ended => return Error::Timeout { stage },
        IoFailure::TimedOut => (format!("Redis at {address} did not answer in time while {doing}"), None),
        IoFailure::Closed => (format!("Redis at {address} closed the connection while {doing}"), None),
        IoFailure::Lost(error) => {
            (format!("the connection to Redis at {address} was lost while {doing}"), Some(error.into()))
        }
        IoFailure::Garbage => (
            format!("the server at {address} does not speak the protocol of Redis ({doing}); is it another server?"),
            None,
        ),
        IoFailure::TooLarge => {
            return Error::Rejected {
                why: format!(
                    "a value in Redis at {address} is larger than the limit (RedisOptions::max_reply); it was taken and dropped"
                ),
            };
        }
    };
    Error::Unavailable { what, source }
}

/// The error for an I/O failure while `doing`, for callers whose own deadlines have not passed.
pub(super) fn connection_lost(url: &RedisUrl, doing: &str, failure: IoFailure) -> Error {
    io_failed(url, doing, Stage::Store, false, failure)
}

/// Whether a connection must not be used again after this error reply.
pub(super) fn ends_connection(error: &RedisError) -> bool {
    MOVED_ON.contains(&code(error)) || is_full(error)
}

/// Whether the server is older than Redis 6, which has no user names.
pub(super) fn has_no_users(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.to_ascii_lowercase().contains("wrong number of arguments for 'auth'"))
}

fn is_full(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.contains("max number of clients"))
}

fn code(error: &RedisError) -> &str {
    error.code().unwrap_or("ERR")
}

/// The code, if it looks like one.
fn word(code: &str) -> &str {
    if code.len() <= 20 && code.bytes().all(|b| b.is_ascii_uppercase()) { code } else { "no reason that can be shown" }
}

/// The server's words, without arguments and without the password.
fn said(url: &RedisUrl, error: &RedisError) -> String {
    let detail = error.detail().unwrap_or_default();
    let detail = detail.split(", with args").next().unwrap_or_default();
    let mut shown: String = detail.chars().filter(|c| *c == ' ' || c.is_ascii_graphic()).take(200).collect();
    if let Some(password) = url.password() {
        shown = shown.replace(password, "***");
    }
    format!("{} {}", word(code(error)), shown.trim()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use r2d2_redis::redis::parse_redis_value;

    fn url() -> RedisUrl {
        RedisUrl::parse("redis://:canary@h").unwrap()
    }

    fn error(line: &str) -> RedisError {
        parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap_err()
    }

    #[test]
    fn transient_errors_are_retryable_and_the_others_come_with_advice() {
        for line in ["LOADING Redis is loading", "MASTERDOWN x", "UNBLOCKED x", "ERR max number of clients reached"] {
            assert!(refused(&url(), "a push", &error(line)).is_retryable(), "{line}");
            assert!(login_refused(&url(), &error(line)).is_retryable(), "{line}");
        }
        for (line, advice) in [
            ("NOAUTH Authentication required.", "put the password"),
            ("NOPERM x", "ACL"),
            ("OOM command not allowed", "maxmemory"),
            ("READONLY You can't write", "replica"),
            ("WRONGTYPE Operation against", "something else"),
            ("MOVED 3999 127.0.0.1:6381", "Cluster"),
            ("ERR DB index is out of range", "DB index is out of range"),
        ] {
            let error = refused(&url(), "a push", &error(line));
            assert!(matches!(error, Error::Rejected { .. }), "{error}");
            assert!(error.to_string().contains(advice), "{error}");
        }
        assert!(ends_connection(&error("READONLY x")) && !ends_connection(&error("WRONGTYPE x")));
    }

    #[test]
    fn errors_repeat_no_argument() {
        for line in [
            "ERR unknown command 'AUTH', with args beginning with: 'canary' ",
            "WRONGPASS canary is wrong",
            "canary",
            "CANARYcanary x",
            "ERR the password canary is short",
        ] {
            for shown in [refused(&url(), "a push", &error(line)), login_refused(&url(), &error(line))] {
                assert!(!format!("{shown} {shown:?}").contains("canary"), "{shown}");
            }
        }
    }
}
