//! The end of a message as a value: `pipeline` decides it, `settle` carries it out.

use std::sync::Arc;
use std::time::Duration;

use super::attempts::Attempts;

/// Why the message of a handler that does not return is a dead letter.
pub(in crate::service) const STUCK: &str = "stuck";

/// How a message ends.
#[derive(Debug)]
pub(super) enum Disposition {
    /// It was handled. With the answer, where its caller waits for one.
    Complete(Option<PreparedReply>),
    /// Its handler failed, and is to be tried again after a while.
    Retry { after: Duration, why: String },
    /// It is not to be handled before a time; no attempt has failed.
    Defer { pause: Duration, place: DeferPlace },
    /// Its worker may have died of it: it is to be handled alone.
    Quarantine(Attempts),
    /// It cannot be handled.
    DeadLetter(DeadLetterReason),
    /// It is not to be handled at all.
    Discard(DiscardReason),
    /// Another copy of it is being handled now, and is settled together with it.
    Park,
    /// It goes back to its queue unharmed.
    Requeue,
    /// It was settled while its handler ran, which took too long.
    AlreadySettled {
        /// Whether another thread does this worker's work.
        is_replaced: bool,
    },
}

/// Where a message waits for its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeferPlace {
    /// In this process. It keeps its prefetched place.
    Memory,
    /// In a delay queue of the broker.
    DelayQueue,
}

/// Why a message is not handled, and gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DiscardReason {
    /// The service has no handler for it.
    Ignored,
    /// Its sender does not wait for it any more.
    Expired,
    /// It was completed before.
    Duplicate,
}

/// Why a message is a dead letter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DeadLetterReason {
    /// A short word that stays the same: `not_a_number`, `failed`, ..
    pub(super) reason: &'static str,
    /// For people.
    pub(super) detail: String,
}

/// An answer as it is pushed; `None` for an event.
pub(super) type Answer = Option<Arc<[u8]>>;

/// An answer, and where it goes.
#[derive(Debug)]
pub(super) struct PreparedReply {
    /// The caller's response key; without one the caller waits for no answer.
    pub(super) key: Option<String>,
    pub(super) body: Arc<[u8]>,
    /// Whether it was given before to another copy of the request.
    pub(super) is_repeated: bool,
}
