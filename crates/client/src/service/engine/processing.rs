//! A message that is worked on, and what is known of it.

use std::sync::Arc;

use zc_events_protocol::Channel;

use super::attempts::Attempts;
use super::message::InboundMessage;
use super::work_queue::WorkerRole;
use crate::service::kind::TaskKind;

/// The event type of a message that cannot be read, or that has no handler here.
pub(super) const UNKNOWN: &str = "unknown";

/// A message in processing.
#[derive(Clone)]
pub(super) struct Processing {
    pub(super) message: Arc<InboundMessage>,
    pub(super) attempts: Attempts,
    /// What the worker that handles it takes.
    pub(super) worker: WorkerRole,
    /// By what it is claimed among processes.
    pub(super) claim: Option<String>,
    /// The id of its envelope, once it was read.
    pub(super) id: Option<String>,
    /// What it is, once it was read.
    pub(super) kind: TaskKind,
    /// Its event type, where that is one that is handled here.
    pub(super) event_type: String,
    /// What log lines call it.
    pub(super) label: String,
}

impl Processing {
    /// Of a message of which nothing is known yet.
    pub(super) fn new(message: Arc<InboundMessage>) -> Self {
        Self {
            attempts: Attempts::of(&message),
            message,
            worker: WorkerRole::General,
            claim: None,
            id: None,
            kind: TaskKind::Event,
            event_type: UNKNOWN.to_owned(),
            label: "a message".to_owned(),
        }
    }

    /// By what it is known, where it has an id and is being handled.
    pub(super) fn key(&self) -> Option<&str> {
        self.message.key.get().map(String::as_str)
    }

    /// What tells a notification from the same to another channel; empty for events.
    pub(super) fn channel_key(&self) -> &str {
        match self.kind {
            TaskKind::Event => "",
            TaskKind::Notification => self.attempts.routing_key(),
        }
    }

    /// The channel of a notification, where that is told.
    pub(super) fn channel(&self) -> Option<Channel> {
        Channel::of_routing_key(self.channel_key())
    }
}
