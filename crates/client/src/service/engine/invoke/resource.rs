//! Answering a request for a resource.

use std::sync::Arc;

use zc_events_protocol::{Query, Reply, Task};

use super::run::{self, Ran};
use super::{context, view_method};
use crate::service::engine::disposition::{DeadLetterReason, Disposition, PreparedReply};
use crate::service::engine::processing::Processing;
use crate::service::engine::reply;
use crate::service::engine::state::EngineState;
use crate::service::resource_view::ResourceView;
use crate::{Context, HandlerError};

/// Lets a view answer a request.
pub(super) fn serve(
    state: &EngineState,
    processing: &Processing,
    task: &Task,
    name: &str,
    view: &dyn ResourceView,
) -> Disposition {
    let Some(request) = task.resource_request() else {
        let detail = "it has no method and no response_key".to_owned();
        return Disposition::DeadLetter(DeadLetterReason { reason: "no_request", detail });
    };
    let (query, unread) = match request.query() {
        Ok(query) => (query, None),
        Err(error) => (Query::default(), Some(error.to_string())),
    };
    let context = Context {
        request: Some(request.clone()),
        roles: request.roles.clone(),
        resource: Some(name.to_owned()),
        query,
        ..context::of(state, processing, Some(task))
    };
    let serve = || match unread {
        Some(why) => Err(HandlerError::malformed(why)),
        None => view_method::serve(view, &context, &request),
    };
    let ran = run::run(state, processing, true, serve, |_| None);
    run::note_failure(processing, &ran);
    match ran {
        Ran::TooLate { is_replaced } => Disposition::AlreadySettled { is_replaced },
        Ran::Returned(served) => {
            let body = encode(state, &view_method::reply(served));
            Disposition::Complete(Some(PreparedReply { key: request.response_key, body, is_repeated: false }))
        }
    }
}

/// The view's answer as it is pushed.
fn encode(state: &EngineState, answer: &Reply) -> Arc<[u8]> {
    reply::within_limit(state, answer.encode().map_err(|error| error.to_string()), || {
        Reply::empty(500).encode().unwrap_or_default()
    })
}
