//! Pushing an answer to its caller.

use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::REPLY_TTL;

use super::disposition::PreparedReply;
use super::processing::Processing;
use super::state::EngineState;
use crate::observe::{Replied, ReplyEnding};

/// How long pushing an answer may take.
const PUSH: Duration = Duration::from_secs(10);
/// Longer than any key that a caller makes.
const LONGEST_KEY: usize = 200;

/// Pushes an answer. Without a key the caller waits for none. A key that has not the form of a caller's is not written to.
///
/// # Errors
/// Why the reply store did not take it.
pub(super) fn push(state: &EngineState, processing: &Processing, reply: &PreparedReply) -> Result<(), String> {
    let Some(key) = &reply.key else {
        tell(state, ReplyEnding::NoKey);
        return Ok(());
    };
    if !is_valid_reply_key(key) {
        log::warn!("{}: its response_key is none that a caller makes; it stays unanswered", processing.label);
        tell(state, ReplyEnding::BadKey);
        return Ok(());
    }
    let inner = state.client.inner();
    let store = inner.store().map_err(|error| error.to_string())?;
    let pushed = store.push(key, &reply.body, REPLY_TTL, inner.deadline(PUSH));
    tell(state, if pushed.is_ok() { ReplyEnding::Pushed } else { ReplyEnding::Failed });
    pushed.map_err(|error| error.to_string())
}

/// The encoded answer. The answer of `failure` replaces one that could not be encoded or is larger than `EVENTS_MAX_REPLY`.
pub(super) fn within_limit(
    state: &EngineState,
    encoded: Result<Vec<u8>, String>,
    failure: impl FnOnce() -> Vec<u8>,
) -> Arc<[u8]> {
    let limit = state.client.settings().max_reply;
    let encoded = encoded.and_then(|bytes| {
        let too_large = || format!("it is {} bytes long; EVENTS_MAX_REPLY allows {limit}", bytes.len());
        if bytes.len() <= limit { Ok(bytes) } else { Err(too_large()) }
    });
    let bytes = encoded.unwrap_or_else(|why| {
        log::error!("an answer cannot be sent, the caller is told of a failure: {why}");
        tell(state, ReplyEnding::TooLarge);
        failure()
    });
    Arc::from(bytes)
}

fn tell(state: &EngineState, ending: ReplyEnding) {
    let replied = Replied { service: &state.service, ending };
    state.observers.tell(|observer| observer.replied(&replied));
}

/// Whether a key has the form of those that callers make; it names what is written in Redis.
fn is_valid_reply_key(key: &str) -> bool {
    (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_no_caller_makes_are_refused() {
        assert!(is_valid_reply_key("7d9c1f1e-6f0b-4c39-9d3c-8b7a3f0e2a11"));
        for key in ["", "a b", "a\r\nFLUSHALL", "ключ", &"x".repeat(201)] {
            assert!(!is_valid_reply_key(key), "{key:?}");
        }
    }
}
