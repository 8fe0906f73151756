//! Answering a request: the view's result, or what went wrong, goes to whoever waits. An
//! answer that cannot be handed in is tried again without the view being asked again.

use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::{Query, REPLY_TTL, Reply, Task};

use super::context::Context;
use super::dispatch;
use super::failure::HandlerError;
use super::forward::Cause;
use super::handle::{self, Failed};
use super::health::Tally;
use super::seen::Answer;
use super::shared::Shared;
use super::view::ResourceView;
use super::work::Work;
use super::worker::{self, Fate};
use crate::lines::Line;
use crate::observe::{Replied, ReplyEnding};

/// How long handing in an answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// Longer than any key that a caller makes.
const LONGEST_KEY: usize = 200;

/// Lets a view answer a request.
pub(super) fn serve(shared: &Shared, work: Work, task: Task, name: &str, view: &dyn ResourceView) -> Fate {
    let Some(request) = task.resource_request() else {
        let detail = "it has no method and no response_key".to_owned();
        log::error!("MICROSERVICE_EVENT::FAILED: {}: no request: {detail}", work.label);
        work.bury(shared, Cause { reason: "no_request", detail });
        return Fate::Decided;
    };
    let key = request.response_key.clone();
    let (query, unread) = match request.query() {
        Ok(query) => (query, None),
        Err(error) => (Query::default(), Some(error.to_string())),
    };
    let context = Context {
        request: Some(request.clone()),
        roles: request.roles.clone(),
        resource: Some(name.to_owned()),
        query,
        ..worker::context(shared, &work, task)
    };
    handle::run_handler(
        shared,
        work,
        || match unread {
            Some(why) => Err(HandlerError::malformed(why)),
            None => dispatch::serve(view, &context, &request),
        },
        |_| None,
        |work, served| {
            if let Err(Failed { error, text, .. }) = &served
                && error.status().is_none()
            {
                log::error!("MICROSERVICE_EVENT::FAILED: {}: {}", work.label, Line(text));
                shared.count(Tally::Failed);
            }
            let answer = encode(shared, &dispatch::reply(served));
            hand_in(shared, work, key.as_deref(), answer);
        },
    )
}

/// A request that was answered before has come again: it gets the same answer. Anything
/// else that was completed is done with.
pub(super) fn again(shared: &Shared, work: Work, task: &Task, answer: Answer) {
    let asked = || task.resource_request().map(|request| request.response_key);
    let response_key = task.call().map(|call| call.response_key).or_else(asked);
    match (answer, response_key) {
        (Some(answer), Some(key)) => {
            shared.count(Tally::Duplicate);
            hand_in(shared, work, key.as_deref(), answer);
        }
        _ => work.skip(shared),
    }
}

pub(super) fn hand_in(shared: &Shared, work: Work, key: Option<&str>, answer: Arc<[u8]>) {
    let Err(why) = push(shared, &work, key, &answer) else {
        log::info!("MICROSERVICE_EVENT::PROCESSED: Received {}", work.label);
        work.complete(shared, Some(answer));
        return;
    };
    if work.history.attempt >= shared.retry.limit() {
        log::error!("MICROSERVICE_EVENT::UNANSWERED: {}: {why}", work.label);
        work.give_up_answer(shared);
    } else {
        log::warn!("MICROSERVICE_EVENT::RETRIED: {}: the answer was not taken: {why}", work.label);
        work.retry_answer(shared, Some(answer));
    }
}

/// Hands in an answer. Without a key nobody waits for one.
fn push(shared: &Shared, work: &Work, key: Option<&str>, answer: &[u8]) -> Result<(), String> {
    let Some(key) = key else {
        replied(shared, ReplyEnding::NoKey);
        return Ok(());
    };
    if !is_a_callers(key) {
        log::warn!("{}: its response_key is none that a caller makes; it stays unanswered", work.label);
        shared.count(Tally::Unanswered);
        replied(shared, ReplyEnding::BadKey);
        return Ok(());
    }
    let inner = shared.client.inner();
    let store = inner.store().map_err(|error| error.to_string())?;
    let pushed = store.push(key, answer, REPLY_TTL, inner.deadline(ANSWER));
    replied(shared, if pushed.is_ok() { ReplyEnding::Pushed } else { ReplyEnding::Failed });
    pushed.map_err(|error| error.to_string())
}

fn replied(shared: &Shared, ending: ReplyEnding) {
    let replied = Replied { service: &shared.service, ending };
    shared.observers().tell(|observer| observer.replied(&replied));
}

/// Whether a key has the shape of those that callers make; it names what is written in Redis.
fn is_a_callers(key: &str) -> bool {
    (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The view's answer as it is handed in.
fn encode(shared: &Shared, reply: &Reply) -> Arc<[u8]> {
    within_limit(shared, reply.encode().map_err(|error| error.to_string()), || {
        Reply::empty(500).encode().unwrap_or_default()
    })
}

/// An answer as it is handed in; one that cannot be is a failure that the caller is told.
pub(super) fn within_limit(
    shared: &Shared,
    encoded: Result<Vec<u8>, String>,
    failure: impl FnOnce() -> Vec<u8>,
) -> Arc<[u8]> {
    let limit = shared.client.settings().max_reply;
    let encoded = encoded.and_then(|bytes| {
        let too_large = || format!("it is {} bytes long; EVENTS_MAX_REPLY allows {limit}", bytes.len());
        if bytes.len() <= limit { Ok(bytes) } else { Err(too_large()) }
    });
    let bytes = encoded.unwrap_or_else(|why| {
        log::error!("an answer cannot be sent, the caller is told of a failure: {why}");
        replied(shared, ReplyEnding::TooLarge);
        failure()
    });
    Arc::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_no_caller_makes_are_known() {
        assert!(is_a_callers("7d9c1f1e-6f0b-4c39-9d3c-8b7a3f0e2a11"));
        for key in ["", "a b", "a\r\nFLUSHALL", "ключ", &"x".repeat(201)] {
            assert!(!is_a_callers(key), "{key:?}");
        }
    }
}
