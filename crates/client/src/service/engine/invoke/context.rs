//! What a handler is told, made from its message.

use std::sync::Arc;

use zc_events_protocol::{Deadline, Query, Task};

use crate::Context;
use crate::client::Scope;
use crate::service::engine::processing::Processing;
use crate::service::engine::state::EngineState;

/// The context of a message, without what belongs to a request or a call.
pub(super) fn of(state: &EngineState, processing: &Processing, task: Option<&Task>) -> Context {
    let message = &processing.message;
    let now = state.clock().now();
    let longest = Deadline::at(now + state.client.settings().handler_timeout);
    let caller = message.time_to_live().and_then(|ttl| message.arrived.checked_add(ttl)).map(Deadline::at);
    let deadline = caller.map_or(longest, |caller| caller.min(longest));
    let id = || task.and_then(|task| task.id.clone());
    let scope = Scope {
        root_id: task.and_then(|task| task.root_id.clone()).or_else(id),
        parent_id: id(),
        deadline: Some(deadline),
        message: Some(message.number),
    };
    Context {
        client: state.client.scoped(scope),
        message: Arc::clone(message),
        kind: processing.kind,
        channel: processing.channel(),
        request: None,
        call: None,
        resource: None,
        query: Query::default(),
        roles: Vec::new(),
        // A copy from the quarantine or a delay queue is new to the broker, and not to the service.
        redelivered: message.is_redelivered || processing.attempts.attempt > 1 || message.queue.is_quarantine(),
        attempt: processing.attempts.attempt,
        deadline,
    }
}
