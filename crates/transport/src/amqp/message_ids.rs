//! Makes message ids for messages that have none.

use std::sync::atomic::{AtomicU64, Ordering};

/// A sequence of message ids: unique among all publishers, and cheap to make.
pub(super) struct MessageIds {
    prefix: String,
    next: AtomicU64,
}

impl MessageIds {
    pub(super) fn new() -> Self {
        Self { prefix: uuid::Uuid::new_v4().simple().to_string(), next: AtomicU64::new(1) }
    }

    pub(super) fn next(&self) -> String {
        format!("{}-{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }
}
