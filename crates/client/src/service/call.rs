//! Functions that others call by key: running one, and the answer that its caller gets. How an answer is handed in is in
//! `answer`.

use std::sync::Arc;

use serde_json::Value;
use zc_events_protocol::{CallReply, RemoteError, Task};

use super::answer;
use super::context::Context;
use super::failure::HandlerError;
use super::forward::Cause;
use super::handle::{self, Failed};
use super::handler::CallHandler;
use super::health::Tally;
use super::retry::Retry;
use super::shared::Shared;
use super::work::Work;
use super::worker::{self, Fate};
use crate::lines::Line;

/// What a caller is told of a failure that is nobody's business outside.
const FAILED: (&str, &str) = ("APIException", "The service failed to answer.");

/// Runs the function for a call. Where nobody waits for the answer, its failure is retried like that of an event.
pub(super) fn serve(shared: &Shared, work: Work, task: Task, handler: &CallHandler, retry: &Retry) -> Fate {
    let Some(call) = task.call() else {
        let detail = "it is an event with the key of a function: it has no call in it".to_owned();
        log::error!("MICROSERVICE_EVENT::FAILED: {}: {detail}", work.label);
        work.bury(shared, Cause { reason: "no_call", detail });
        return Fate::Decided;
    };
    let (key, attempt) = (call.response_key.clone(), work.history.attempt);
    let roles = call.roles();
    let context = Context { call: Some(call.clone()), roles, ..worker::context(shared, &work, task) };
    let run = || handler(&context, &call.data);
    let Some(key) = key else {
        let judge = |error: &HandlerError| retry.pause(attempt, error);
        return handle::run_handler(shared, work, run, judge, |work, done| handle::conclude(shared, work, done));
    };
    handle::run_handler(
        shared,
        work,
        run,
        |_| None,
        |work, done| {
            if let Err(Failed { error, text, .. }) = &done
                && error.status().is_none()
            {
                log::error!("MICROSERVICE_EVENT::FAILED: {}: {}", work.label, Line(text));
                shared.count(Tally::Failed);
            }
            answer::hand_in(shared, work, Some(&key), encode(shared, done));
        },
    )
}

/// The answer as it is handed in. What went wrong inside is not told outside, unless the function gave it a status.
fn encode(shared: &Shared, done: Result<Value, Failed>) -> Arc<[u8]> {
    let failure = |kind: &str, message: &str| CallReply::failure([RemoteError::new(kind, message)]);
    let reply = match done {
        Ok(result) => CallReply::success(&result).map_err(|error| error.to_string()),
        Err(Failed { error, text, .. }) if error.status().is_some() => Ok(failure(error.told_kind(), &text)),
        Err(_) => Ok(failure(FAILED.0, FAILED.1)),
    };
    let encoded = reply.and_then(|reply| reply.encode().map_err(|error| error.to_string()));
    answer::within_limit(shared, encoded, || failure(FAILED.0, FAILED.1).encode().unwrap_or_default())
}
