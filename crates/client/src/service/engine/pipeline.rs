//! Decides about a message: decodes it, finds its route, asks `admission` whether to handle it now, and lets `invoke` run its
//! handler. Nothing here touches a queue.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use zc_events_protocol::{Task, size_of_headers};

use super::admission;
use super::disposition::{DeadLetterReason, DeferPlace, DiscardReason, Disposition};
use super::invoke;
use super::message::InboundMessage;
use super::processing::Processing;
use super::state::EngineState;
use super::work_queue::WorkerRole;
use crate::log_fields;
use crate::service::kind::TaskKind;

/// A message waits for its time in memory for no longer than this.
const LONGEST_IN_MEMORY: Duration = Duration::from_secs(30);

/// Processes a message on a worker of that role, and decides how it ends.
pub(super) fn process(
    state: &EngineState,
    message: &Arc<InboundMessage>,
    worker: WorkerRole,
) -> (Processing, Disposition) {
    let mut processing = Processing { worker, ..Processing::new(Arc::clone(message)) };
    let disposition = decide(state, message, &mut processing).unwrap_or_else(|disposition| disposition);
    (processing, disposition)
}

/// # Errors
/// What becomes of it before a handler is run.
fn decide(
    state: &EngineState,
    message: &InboundMessage,
    processing: &mut Processing,
) -> Result<Disposition, Disposition> {
    let task = read(state, message).map_err(Disposition::DeadLetter)?;
    processing.id.clone_from(&task.id);
    let now = state.clock().wall();
    let event_type = task.event_type().unwrap_or_default();
    let kind = TaskKind::of(&task.task);
    processing.kind = kind.unwrap_or(processing.kind);
    let route = kind.and_then(|kind| state.routes.find(kind, event_type, processing.channel()));
    if let Some((event_type, _)) = route {
        processing.event_type = event_type.to_owned();
    }
    processing.label = log_fields::of_task(task).to_string();
    if is_expired(state, message, task, now) {
        return Err(Disposition::Discard(DiscardReason::Expired));
    }
    let Some((_, route)) = route else { return Err(Disposition::Discard(DiscardReason::Ignored)) };
    if let Some(due) = task.eta.max(processing.attempts.due).filter(|due| *due > now) {
        let pause = due.duration_since(now).unwrap_or_default();
        let place = if pause > LONGEST_IN_MEMORY { DeferPlace::DelayQueue } else { DeferPlace::Memory };
        return Err(Disposition::Defer { pause, place });
    }
    admission::admit(state, processing, task, route)?;
    Ok(invoke::invoke(state, processing, task, route))
}

/// Reads a message, within the limits.
fn read<'a>(state: &EngineState, message: &'a InboundMessage) -> Result<&'a Task, DeadLetterReason> {
    let settings = state.client.settings();
    if let Some(reason) = message.defect {
        return Err(DeadLetterReason { reason, detail: "its headers cannot be read".to_owned() });
    }
    let headers = message.properties().headers.as_ref().map_or(0, size_of_headers);
    if headers > settings.max_headers {
        let detail = format!("{headers} bytes of headers; EVENTS_MAX_HEADERS allows {}", settings.max_headers);
        return Err(DeadLetterReason { reason: "headers_too_large", detail });
    }
    message.task().map_err(|error| DeadLetterReason { reason: error.reason(), detail: error.to_string() })
}

/// Whether its sender does not wait for it any more.
fn is_expired(state: &EngineState, message: &InboundMessage, task: &Task, now: SystemTime) -> bool {
    let since_arrival = state.clock().now().saturating_duration_since(message.arrived);
    task.expires.is_some_and(|expires| expires <= now) || message.time_to_live().is_some_and(|ttl| since_arrival > ttl)
}
