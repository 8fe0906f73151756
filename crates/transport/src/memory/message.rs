//! A message: its content, which all queues share, and its place in one queue.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use zc_events_protocol::Properties;

/// The content of a published message, shared by all queues that it was routed to.
pub(super) struct MessageContent {
    pub(super) exchange: String,
    pub(super) routing_key: String,
    pub(super) properties: Properties,
    pub(super) body: Vec<u8>,
}

impl fmt::Debug for MessageContent {
    /// Omits the body, which may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageContent")
            .field("exchange", &self.exchange)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A message in one queue.
#[derive(Debug)]
pub(super) struct QueuedMessage {
    /// Its position. A message that is requeued takes it again.
    pub(super) number: u64,
    /// The priority as the queue honours it; 0 if it ignores priorities.
    pub(super) priority: u8,
    pub(super) redelivered: bool,
    /// How often it was requeued.
    pub(super) returns: u64,
    pub(super) expires: Option<Instant>,
    pub(super) content: Arc<MessageContent>,
}

impl QueuedMessage {
    pub(super) fn has_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}
