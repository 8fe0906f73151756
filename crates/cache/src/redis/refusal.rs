//! Turns what a server refuses, and what becomes of a connection, into this crate's
//! errors, in words for people. A server may quote what it was sent (`unknown command ..,
//! with args beginning with: ..`): nothing that may be a password or a value passes.

use r2d2_redis::redis::RedisError;
use zc_events_protocol::Stage;

use super::link::Trouble;
use super::url::RedisUrl;
use crate::Error;

/// Codes of states that pass.
const PASSING: [&str; 6] = ["LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "UNBLOCKED"];
/// Codes after which the same name may lead to a better server.
const MOVED_ON: [&str; 5] = ["LOADING", "MASTERDOWN", "UNBLOCKED", "READONLY", "NOAUTH"];

/// Why `doing` was refused.
pub(super) fn refused(url: &RedisUrl, doing: &str, error: &RedisError) -> Error {
    let code = code(error);
    let what = format!("Redis at {} refused {doing} ({})", url.place(), said(url, error));
    if PASSING.contains(&code) || is_full(error) {
        return Error::Unavailable { what: format!("{what}: this may pass"), source: None };
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

/// Why the login was refused: the server's words are not repeated, only their code.
pub(super) fn login_refused(url: &RedisUrl, error: &RedisError) -> Error {
    if PASSING.contains(&code(error)) || is_full(error) || matches!(code(error), "DENIED") {
        return refused(url, "the connection", error);
    }
    let detail = error.detail().unwrap_or_default();
    let why = if detail.contains("without any password") || detail.contains("no password is set") {
        "it has no password set, and the URL has one".to_owned()
    } else {
        format!("{}; check the user name and the password in the URL", word(code(error)))
    };
    Error::Rejected { why: format!("Redis at {} refused the login ({why})", url.place()) }
}

/// What the trouble of a connection means while `doing`; `ended` says whether the caller's
/// own deadline is over.
pub(super) fn trouble(url: &RedisUrl, doing: &str, stage: Stage, ended: bool, trouble: Trouble) -> Error {
    let place = url.place();
    let (what, source): (_, Option<Box<dyn std::error::Error + Send + Sync>>) = match trouble {
        Trouble::TimedOut if ended => return Error::Timeout { stage },
        Trouble::TimedOut => (format!("Redis at {place} did not answer in time while {doing}"), None),
        Trouble::Closed => (format!("Redis at {place} closed the connection while {doing}"), None),
        Trouble::Lost(error) => {
            (format!("the connection to Redis at {place} was lost while {doing}"), Some(error.into()))
        }
        Trouble::Garbage => {
            (format!("what answers at {place} while {doing} does not speak as Redis does; is it another server?"), None)
        }
        Trouble::TooLarge => {
            return Error::Rejected {
                why: format!(
                    "Redis at {place} has a value over the limit (RedisOptions::max_reply); it was taken and dropped"
                ),
            };
        }
    };
    Error::Unavailable { what, source }
}

/// What the trouble of a connection means for calls whose own deadline is not what ended it.
pub(super) fn lost(url: &RedisUrl, doing: &str, trouble: Trouble) -> Error {
    self::trouble(url, doing, Stage::Store, false, trouble)
}

/// Whether a connection on which the server said this should not be used again.
pub(super) fn ends_connection(error: &RedisError) -> bool {
    MOVED_ON.contains(&code(error)) || is_full(error)
}

/// Whether a server older than Redis 6 says that it cannot count parts of a second.
pub(super) fn wants_whole_seconds(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.contains("timeout is not an integer"))
}

/// Whether a server older than Redis 6 says that it has no user names.
pub(super) fn knows_no_users(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.to_ascii_lowercase().contains("wrong number of arguments for 'auth'"))
}

fn is_full(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.contains("max number of clients"))
}

fn code(error: &RedisError) -> &str {
    error.code().unwrap_or("ERR")
}

/// A code, or nothing where a server says something that is none.
fn word(code: &str) -> &str {
    if code.len() <= 20 && code.bytes().all(|b| b.is_ascii_uppercase()) { code } else { "no reason that can be shown" }
}

/// The server's words as far as they can be shown.
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
    fn what_passes_may_be_tried_again_and_the_rest_is_told_with_advice() {
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
    fn nothing_that_was_sent_is_repeated() {
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
