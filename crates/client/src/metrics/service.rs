//! What services do, counted. `event_type` is one that has a handler here, never whatever a peer sent.

use std::time::Duration;

use super::facade::{add, count, observe, set};
use super::{
    CONSUMING, DEAD_LETTERS, DELIVERIES, HANDLED, HANDLER, IGNORED, IN_PROGRESS, RECEIVED_BYTES, RECONNECTS, REPLIES,
    RETRIES,
};

/// What became of a message that has a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handled {
    /// The handler did its work, or the request was answered.
    Processed,
    /// The handler failed, and will be tried again.
    Retried,
    /// It is among the dead letters.
    DeadLettered,
    /// It came too late, or nobody waits for it any more.
    Expired,
    /// It was completed before.
    Duplicate,
    /// The handler did not return in `EVENTS_HANDLER_TIMEOUT`.
    Stuck,
    /// The request was answered, but the answer could not be handed in.
    Unanswered,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replied {
    Pushed,
    /// The store did not take it.
    Failed,
    /// It was larger than `EVENTS_MAX_REPLY`, and the caller was told 500.
    TooLarge,
    /// Nobody waits for one.
    NoKey,
    /// The response key is none that a caller makes.
    BadKey,
}

/// A message arrived, with a body of so many bytes.
pub(crate) fn delivered(is_redelivered: bool, bytes: usize) {
    count(&DELIVERIES, 1, &[("redelivered", if is_redelivered { "true" } else { "false" })]);
    count(&RECEIVED_BYTES, bytes as u64, &[]);
}

/// A message was for others.
pub(crate) fn ignored() {
    count(&IGNORED, 1, &[]);
}

/// A handler or a view returned.
pub(crate) fn ran(event_type: &str, took: Duration) {
    observe(&HANDLER, took, &[("event_type", event_type)]);
}

/// A message has its verdict.
pub(crate) fn handled(event_type: &str, outcome: Handled) {
    let outcome = match outcome {
        Handled::Processed => "processed",
        Handled::Retried => "retried",
        Handled::DeadLettered => "dead_lettered",
        Handled::Expired => "expired",
        Handled::Duplicate => "duplicate",
        Handled::Stuck => "stuck",
        Handled::Unanswered => "unanswered",
    };
    count(&HANDLED, 1, &[("event_type", event_type), ("outcome", outcome)]);
}

/// An attempt was put off until later.
pub(crate) fn retried(event_type: &str) {
    count(&RETRIES, 1, &[("event_type", event_type)]);
}

/// A message is among the dead letters; the reasons are from a fixed set.
pub(crate) fn dead_lettered(reason: &'static str) {
    count(&DEAD_LETTERS, 1, &[("reason", reason)]);
}

/// An answer was handed in, or not.
pub(crate) fn replied(outcome: Replied) {
    let outcome = match outcome {
        Replied::Pushed => "pushed",
        Replied::Failed => "failed",
        Replied::TooLarge => "too_large",
        Replied::NoKey => "no_key",
        Replied::BadKey => "bad_key",
    };
    count(&REPLIES, 1, &[("outcome", outcome)]);
}

/// A message was handed to the workers.
pub(crate) fn begun() {
    add(&IN_PROGRESS, 1.0);
}

/// A message is with the workers no more.
pub(crate) fn finished() {
    add(&IN_PROGRESS, -1.0);
}

/// Whether the queue is consumed.
pub(crate) fn consuming(queue: &str, is_consuming: bool) {
    set(&CONSUMING, f64::from(u8::from(is_consuming)), &[("queue", queue)]);
}

/// The queue is consumed again after its connection was lost.
pub(crate) fn reconnected(queue: &str) {
    count(&RECONNECTS, 1, &[("queue", queue)]);
}
