//! What others call by key, functions and views: running one, and the answer that its caller gets. How an answer is handed
//! in is in `answer`.

use std::sync::Arc;

use serde_json::Value;
use zc_events_protocol::{CallReply, Query, RemoteError, Task};

use super::context::Context;
use super::failure::HandlerError;
use super::forward::Cause;
use super::handle::{self, Failed};
use super::handler::Called;
use super::health::Tally;
use super::retry::Retry;
use super::shared::Shared;
use super::view::Served;
use super::work::Work;
use super::worker::{self, Fate};
use super::{answer, dispatch};
use crate::lines::Line;

/// What a caller is told of a failure that is nobody's business outside.
const FAILED: (&str, &str) = ("APIException", "The service failed to answer.");

/// Runs what a call is for. Where nobody waits for the answer, its failure is retried like that of an event.
pub(super) fn serve(shared: &Shared, work: Work, task: Task, called: &Called, retry: &Retry) -> Fate {
    let Some(call) = task.call() else {
        let detail = "it is an event with the key of a function: it has no call in it".to_owned();
        log::error!("MICROSERVICE_EVENT::FAILED: {}: {detail}", work.label);
        work.bury(shared, Cause { reason: "no_call", detail });
        return Fate::Decided;
    };
    let (key, attempt) = (call.response_key.clone(), work.history.attempt);
    let request = call.request();
    let (query, unread) = match request.query() {
        Ok(query) => (query, None),
        Err(error) => (Query::default(), Some(error.to_string())),
    };
    let (roles, is_view) = (call.roles(), matches!(called, Called::View(_)));
    let context = Context {
        query,
        roles,
        resource: is_view.then(|| call.key.clone()),
        request: is_view.then(|| request.clone()),
        call: Some(call.clone()),
        ..worker::context(shared, &work, task)
    };
    let run = || match called {
        Called::Function(function) => {
            let result = function(&context, &call.data)?;
            CallReply::success(&result).map_err(|error| HandlerError::new(error.to_string()))
        }
        Called::View(view) => match unread {
            Some(why) => Err(HandlerError::malformed(why)),
            None => dispatch::serve(&**view, &context, &request).and_then(of_view),
        },
    };
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
            answer::hand_in(shared, work, Some(&key), encode(shared, done, is_view));
        },
    )
}

/// What a view answered, as an answer to a call, which has no status.
fn of_view(served: Served) -> Result<CallReply, HandlerError> {
    let (status, body) = served.into_parts();
    let mut body = body.unwrap_or_default();
    if status < 400 {
        return CallReply::success(&body).map_err(|error| HandlerError::new(error.to_string()));
    }
    let errors = body.get_mut("errors").map(Value::take).unwrap_or(body);
    Ok(CallReply { data: Value::Null, has_errors: true, errors })
}

/// The answer as it is handed in. What went wrong inside is not told outside, unless there is a status for it.
fn encode(shared: &Shared, done: Result<CallReply, Failed>, is_view: bool) -> Arc<[u8]> {
    let failure = |kind: &str, message: &str| CallReply::failure([RemoteError::new(kind, message)]);
    let reply = match done {
        Ok(reply) => reply,
        Err(Failed { error, text, .. }) if is_view => CallReply::refused(&error.document(text).1.errors),
        Err(Failed { error, text, .. }) if error.status().is_some() => {
            let trace = error.told_trace().map(str::to_owned);
            CallReply::failure([RemoteError { trace, ..RemoteError::new(error.told_kind(), text) }])
        }
        Err(_) => failure(FAILED.0, FAILED.1),
    };
    let encoded = reply.encode().map_err(|error| error.to_string());
    answer::within_limit(shared, encoded, || failure(FAILED.0, FAILED.1).encode().unwrap_or_default())
}
