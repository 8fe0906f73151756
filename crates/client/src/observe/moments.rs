//! What an observer is told.

use std::time::Duration;

use zc_events_protocol::Deadline;

use crate::Error;

/// A message was handed to the broker.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MessageSent<'a> {
    /// Its event type, or the key of a call.
    pub event_type: &'a str,
    /// The length of its body.
    pub bytes: usize,
}

/// The end of an emitted event or notification.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EmitEnded<'a> {
    /// Its event type.
    pub event_type: &'a str,
    /// From handing it over to its end, zero where the caller did not wait; within `emit_many` that includes the time of
    /// other events.
    pub took: Duration,
    /// `Ok(true)` where the broker has confirmed it, `Ok(false)` where the caller did not wait for that.
    pub result: Result<bool, &'a Error>,
}

/// The end of a request or a call.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestEnded<'a> {
    /// Its event type, or the key of a call.
    pub event_type: &'a str,
    /// From sending it to its end, zero where the caller did not wait.
    pub took: Duration,
    /// `Ok(true)` where it was answered, `Ok(false)` where the caller did not wait for the answer.
    pub result: Result<bool, &'a Error>,
}

/// The connection for publishing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionSeen {
    /// Whether there is one.
    pub is_connected: bool,
    /// Whether the broker takes no messages for now.
    pub is_blocked: bool,
}

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitFor<'a> {
    /// An answer in the reply store.
    Reply,
    /// The broker, to take a message.
    Send,
    /// A message of this queue, which is consumed by the caller itself and not by a service.
    Message {
        /// The queue.
        queue: &'a str,
    },
    /// The end of a service that was told to stop.
    Stop,
    /// The time to connect again.
    Backoff,
}

/// A thread that waits.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Wait<'a> {
    /// A number of its own.
    pub number: u64,
    /// For what.
    pub what: WaitFor<'a>,
    /// Until when at the latest.
    pub deadline: Deadline,
    /// The message in whose handler it waits, where the client was the handler's.
    pub message: Option<u64>,
}

/// Whether a queue is consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumingChanged<'a> {
    /// The service.
    pub service: &'a str,
    /// The queue.
    pub queue: &'a str,
    /// Whether it is consumed now.
    pub is_consuming: bool,
    /// Whether it is consumed again after its connection was lost.
    pub is_reconnect: bool,
}

/// A message that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivered<'a> {
    /// The service.
    pub service: &'a str,
    /// The queue that it came from.
    pub queue: &'a str,
    /// Whether the broker says that it may have been delivered before.
    pub is_redelivered: bool,
    /// The length of its body.
    pub bytes: usize,
}

/// How a handler ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandlerEnding {
    /// It did its work, or refused a request with a status.
    Done,
    /// It failed or panicked.
    Failed,
    /// It returned after `EVENTS_HANDLER_TIMEOUT`, when its message was a dead letter already.
    Late,
}

/// A handler that has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandlerEnded<'a> {
    /// The service.
    pub service: &'a str,
    /// The event type that it handles.
    pub event_type: &'a str,
    /// How long it ran.
    pub took: Duration,
    /// How it ended.
    pub ending: HandlerEnding,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyEnding {
    /// The reply store has it.
    Pushed,
    /// The reply store did not take it.
    Failed,
    /// It is larger than `EVENTS_MAX_REPLY`, so that the caller is told 500.
    TooLarge,
    /// The request has no response key.
    NoKey,
    /// The response key has no form that callers make.
    BadKey,
}

/// An answer of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replied<'a> {
    /// The service.
    pub service: &'a str,
    /// What became of the answer.
    pub ending: ReplyEnding,
}

/// How a message was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Settlement {
    /// The handler did its work, or the request was answered.
    Handled,
    /// The handler failed; the message waits for its next attempt.
    Retried,
    /// It is among the dead letters.
    DeadLettered {
        /// Why, as a word that stays the same, such as `failed` or `stuck`.
        reason: &'static str,
    },
    /// It came too late: its sender does not wait any more.
    Expired,
    /// It was completed before.
    Duplicate,
    /// It was answered, but the answer could not be pushed.
    Unanswered,
    /// The service has no handler for it.
    Ignored,
    /// It was delivered before, to a worker that has vanished: it moved to the quarantine.
    Quarantined,
    /// It waits for its time in a delay queue; no attempt has failed.
    Deferred,
    /// It went back to its queue.
    Requeued,
}

impl Settlement {
    /// Whether nothing more becomes of the message in this service.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Retried | Self::Quarantined | Self::Deferred | Self::Requeued)
    }
}

/// A message that was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settled<'a> {
    /// The service.
    pub service: &'a str,
    /// The event type, or the key of a call, where it has a handler here; else `unknown`.
    pub event_type: &'a str,
    /// The id of its envelope, where that could be read.
    pub id: Option<&'a str>,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// How.
    pub settlement: Settlement,
}
