//! The observer that counts. `event_type` is one that this program emits or has a handler for, never one that a peer chose.

use super::catalog::{
    BLOCKED, CONNECTED, CONSUMING, DEAD_LETTERS, DELIVERIES, EMITTED, HANDLED, HANDLER, IGNORED, IN_PROGRESS, PUBLISH,
    RECEIVED_BYTES, RECONNECTS, REPLIES, REQUEST, REQUESTS, REQUESTS_SENT, RETRIES, SENT_BYTES,
};
use super::recorder::{add, count, observe, set};
use crate::observe::{
    ConnectionSeen, ConsumingChanged, Delivered, EmitEnded, HandlerEnded, MessageSent, Replied, ReplyEnding,
    RequestEnded, Settled, Settlement,
};
use crate::{Error, Observer};

/// The outcome of a message that its sender did not wait for.
const UNAWAITED: &str = "unawaited";

/// Hands what it is told to the recorder of the crate `metrics`.
#[derive(Debug)]
pub(crate) struct MetricsObserver;

impl Observer for MetricsObserver {
    fn emit_sent(&self, sent: &MessageSent<'_>) {
        count(&SENT_BYTES, sent.bytes as u64, &[]);
    }

    fn emit_ended(&self, emit: &EmitEnded<'_>) {
        let outcome = match emit.result {
            Ok(true) => {
                observe(&PUBLISH, emit.took, &[]);
                set(&BLOCKED, 0.0, &[]);
                "confirmed"
            }
            Ok(false) => UNAWAITED,
            Err(error) => {
                if matches!(error, Error::Blocked { .. }) {
                    set(&BLOCKED, 1.0, &[]);
                }
                error.kind().outcome_label()
            }
        };
        count(&EMITTED, 1, &[("event_type", emit.event_type), ("outcome", outcome)]);
    }

    fn request_sent(&self, sent: &MessageSent<'_>) {
        count(&REQUESTS_SENT, 1, &[("event_type", sent.event_type)]);
        count(&SENT_BYTES, sent.bytes as u64, &[]);
    }

    fn request_ended(&self, request: &RequestEnded<'_>) {
        let outcome = match request.result {
            Ok(true) => "answered",
            Ok(false) => UNAWAITED,
            Err(error) => error.kind().outcome_label(),
        };
        count(&REQUESTS, 1, &[("event_type", request.event_type), ("outcome", outcome)]);
        if !matches!(request.result, Ok(false)) {
            observe(&REQUEST, request.took, &[("event_type", request.event_type)]);
        }
    }

    fn connection_seen(&self, connection: &ConnectionSeen) {
        set(&CONNECTED, gauge(connection.is_connected), &[]);
        set(&BLOCKED, gauge(connection.is_blocked), &[]);
    }

    fn consuming_changed(&self, queue: &ConsumingChanged<'_>) {
        set(&CONSUMING, gauge(queue.is_consuming), &[("queue", queue.queue)]);
        if queue.is_reconnect {
            count(&RECONNECTS, 1, &[("queue", queue.queue)]);
        }
    }

    fn delivered(&self, delivery: &Delivered<'_>) {
        count(&DELIVERIES, 1, &[("redelivered", if delivery.is_redelivered { "true" } else { "false" })]);
        count(&RECEIVED_BYTES, delivery.bytes as u64, &[]);
    }

    fn message_taken(&self) {
        add(&IN_PROGRESS, 1.0);
    }

    fn message_released(&self) {
        add(&IN_PROGRESS, -1.0);
    }

    fn handler_ended(&self, handler: &HandlerEnded<'_>) {
        observe(&HANDLER, handler.took, &[("event_type", handler.event_type)]);
    }

    fn replied(&self, reply: &Replied<'_>) {
        let outcome = match reply.ending {
            ReplyEnding::Pushed => "pushed",
            ReplyEnding::Failed => "failed",
            ReplyEnding::TooLarge => "too_large",
            ReplyEnding::NoKey => "no_key",
            ReplyEnding::BadKey => "bad_key",
        };
        count(&REPLIES, 1, &[("outcome", outcome)]);
    }

    fn settled(&self, message: &Settled<'_>) {
        let outcome = match message.settlement {
            Settlement::Handled => "processed",
            Settlement::Retried => {
                count(&RETRIES, 1, &[("event_type", message.event_type)]);
                "retried"
            }
            Settlement::DeadLettered { reason } => {
                count(&DEAD_LETTERS, 1, &[("reason", reason)]);
                if reason == "stuck" { "stuck" } else { "dead_lettered" }
            }
            Settlement::Expired => "expired",
            Settlement::Duplicate => "duplicate",
            Settlement::Unanswered => "unanswered",
            Settlement::Ignored => return count(&IGNORED, 1, &[]),
            Settlement::Quarantined | Settlement::Deferred | Settlement::Requeued => return,
        };
        count(&HANDLED, 1, &[("event_type", message.event_type), ("outcome", outcome)]);
    }
}

fn gauge(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}
