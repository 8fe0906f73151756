//! Answering a call by key, with a function or with a view.

use std::sync::Arc;

use serde_json::Value;
use zc_events_protocol::{CallReply, Query, RemoteError, Task};

use super::event;
use super::run::{self, Failed, Ran};
use super::{context, view_method};
use crate::service::engine::disposition::{DeadLetterReason, Disposition, PreparedReply};
use crate::service::engine::processing::Processing;
use crate::service::engine::reply;
use crate::service::engine::state::EngineState;
use crate::service::handler::Called;
use crate::service::response::Served;
use crate::service::retry::Retry;
use crate::{Context, HandlerError};

/// What a caller is told of a failure inside the service.
const FAILED: (&str, &str) = ("APIException", "The service failed to answer.");

/// Runs what a call is for. Where its caller waits for no answer, its failure is retried like that of an event.
pub(super) fn serve(
    state: &EngineState,
    processing: &Processing,
    task: &Task,
    called: &Called,
    retry: &Retry,
) -> Disposition {
    let Some(call) = task.call() else {
        let detail = "it is an event with the key of a function: it has no call in it".to_owned();
        return Disposition::DeadLetter(DeadLetterReason { reason: "no_call", detail });
    };
    let attempt = processing.attempts.attempt;
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
        ..context::of(state, processing, Some(task))
    };
    let run = || match called {
        Called::Function(function) => {
            let result = function(&context, &call.data)?;
            CallReply::success(&result).map_err(|error| HandlerError::new(error.to_string()))
        }
        Called::View(view) => match unread {
            Some(why) => Err(HandlerError::malformed(why)),
            None => view_method::serve(&**view, &context, &request).and_then(of_view),
        },
    };
    let Some(key) = call.response_key.clone() else {
        return event::conclude(run::run(state, processing, false, run, |error| retry.pause(attempt, error)));
    };
    let ran = run::run(state, processing, true, run, |_| None);
    run::note_failure(processing, &ran);
    match ran {
        Ran::TooLate { is_replaced } => Disposition::AlreadySettled { is_replaced },
        Ran::Returned(done) => {
            let body = encode(state, done, is_view);
            Disposition::Complete(Some(PreparedReply { key: Some(key), body, is_repeated: false }))
        }
    }
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

/// The answer as it is pushed. What went wrong inside is not told outside, unless there is a status for it.
fn encode(state: &EngineState, done: Result<CallReply, Failed>, is_view: bool) -> Arc<[u8]> {
    let failure = |kind: &str, message: &str| CallReply::failure([RemoteError::new(kind, message)]);
    let answer = match done {
        Ok(reply) => reply,
        Err(Failed { error, text, .. }) if is_view => CallReply::refused(&error.document(text).1.errors),
        Err(Failed { error, text, .. }) if error.status().is_some() => {
            let trace = error.told_trace().map(str::to_owned);
            CallReply::failure([RemoteError { trace, ..RemoteError::new(error.told_kind(), text) }])
        }
        Err(_) => failure(FAILED.0, FAILED.1),
    };
    let encoded = answer.encode().map_err(|error| error.to_string());
    reply::within_limit(state, encoded, || failure(FAILED.0, FAILED.1).encode().unwrap_or_default())
}
