//! A request that was handed to the broker.

use zc_events_protocol::Deadline;
use zc_events_transport::Receipt;

/// A request or a call that was handed to the broker.
pub(super) struct SentRequest {
    pub(super) receipt: Receipt,
    pub(super) deadline: Deadline,
    /// The length of its body.
    pub(super) bytes: usize,
}
