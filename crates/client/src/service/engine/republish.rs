//! Sending a copy of a message to another queue of its service: a delay queue, the quarantine, the dead letters. `Ok` means
//! that the copy is confirmed there; the original may be acknowledged then.

use std::time::{Duration, UNIX_EPOCH};

use zc_events_protocol::{HeaderValue, Headers, Properties, names};
use zc_events_transport::{Outgoing, Topology};

use super::attempts::Attempts;
use super::blocked_move::{Destination, Move};
use super::disposition::DeadLetterReason;
use super::message::InboundMessage;
use super::state::EngineState;
use crate::observe::WaitFor;
use crate::service::kind::TaskKind;
use crate::{Error, Result};

/// A text in a header, in bytes at the most.
const LONGEST_DETAIL: usize = 500;

/// Sends a copy to where the message is to go.
pub(super) fn send_copy(state: &EngineState, moved: &Move) -> Result<()> {
    let processing = &moved.processing;
    let message = &*processing.message;
    match &moved.destination {
        Destination::DelayQueue { delay, attempts, .. } => delayed(state, message, attempts, *delay, processing.kind),
        Destination::Quarantine(attempts) => {
            let queue = names::quarantine_queue(&state.service);
            republish(state, message, &queue, &state.topology, attempts.properties(message))
        }
        Destination::DeadLetters(reason) => dead_letter(state, message, &processing.attempts, reason),
    }
}

/// Lets a message wait for `delay`, one of `RETRY_DELAYS`, and come back to the queue of its kind.
fn delayed(
    state: &EngineState,
    message: &InboundMessage,
    attempts: &Attempts,
    delay: Duration,
    kind: TaskKind,
) -> Result<()> {
    let service = &state.service;
    let (queue, home) = match kind {
        TaskKind::Event => (names::retry_queue(service, delay), names::events_queue(service)),
        TaskKind::Notification => {
            (names::notifications_retry_queue(service, delay), names::notifications_queue(service))
        }
    };
    let topology = state.client.settings().fitted(Topology::new().retry_queue(&queue, delay, home));
    // Not before it is needed: a service that never fails has no queue for it.
    if !state.knows_delay_queue(&queue) {
        declare(state, &topology)?;
        state.note_delay_queue(&queue);
    }
    republish(state, message, &queue, &topology, attempts.properties(message))
}

/// Keeps a message among the dead letters, with the headers that say why.
fn dead_letter(
    state: &EngineState,
    message: &InboundMessage,
    attempts: &Attempts,
    reason: &DeadLetterReason,
) -> Result<()> {
    let mut properties = attempts.properties(message);
    let seconds = state.clock().wall().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let headers = properties.headers.get_or_insert_default();
    // What a dead letter is looked at for.
    headers.remove("x-zc-attempt");
    headers.insert("x-zc-attempts".into(), HeaderValue::Int(attempts.attempt.into()));
    headers.insert("x-zc-reason".into(), reason.reason.into());
    headers.insert("x-zc-detail".into(), clip(&reason.detail).into());
    headers.insert("x-zc-time".into(), HeaderValue::Timestamp(seconds));
    republish(state, message, &names::dead_letter_queue(&state.service), &state.topology, properties)
}

fn republish(
    state: &EngineState,
    message: &InboundMessage,
    queue: &str,
    topology: &Topology,
    properties: Properties,
) -> Result<()> {
    match send(state, message, queue, &properties) {
        // Headers of its own leave no room for ours. The body is what must not be lost.
        Err(Error::TooLarge { .. }) => {
            let headers = properties.headers.as_ref().map(only_ours);
            send(state, message, queue, &Properties { headers, ..properties })
        }
        // Somebody has deleted the queue.
        Err(Error::Unroutable { .. }) => {
            declare(state, topology)?;
            send(state, message, queue, &properties)
        }
        sent => sent,
    }
}

fn declare(state: &EngineState, topology: &Topology) -> Result<()> {
    let inner = state.client.inner();
    Ok(inner.broker.declare(topology, inner.deadline(inner.settings.publish_timeout))?)
}

fn send(state: &EngineState, message: &InboundMessage, queue: &str, properties: &Properties) -> Result<()> {
    let inner = state.client.inner();
    let deadline = inner.deadline(inner.settings.publish_timeout);
    let copy = Outgoing { exchange: "", routing_key: queue, mandatory: true, properties, body: message.body() };
    let receipt = state.observers.waiting(WaitFor::Send, None, deadline, || inner.broker.send(&copy, deadline))?;
    Ok(receipt.wait(deadline)?)
}

fn only_ours(headers: &Headers) -> Headers {
    const KEPT: [&str; 2] = ["task", "id"];
    let is_kept = |name: &str| name.starts_with("x-zc-") || KEPT.contains(&name);
    let mut kept: Headers = headers
        .iter()
        .filter(|(name, value)| is_kept(name) && value.as_str().is_none_or(|text| text.len() <= LONGEST_DETAIL))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    kept.insert("x-zc-headers-dropped".into(), HeaderValue::Bool(true));
    kept
}

fn clip(text: &str) -> &str {
    let end = (0..=text.len().min(LONGEST_DETAIL)).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}
