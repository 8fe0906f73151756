//! What became of the messages of the services in a test.

/// How a message came to an end at a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// The handler did its work, or the request was answered.
    Handled,
    /// The handler failed, and is tried again later.
    Retried,
    /// It is among the dead letters, for this reason, such as `failed`.
    DeadLettered(&'static str),
    /// It came too late, or nobody waits for it any more.
    Expired,
    /// It was completed before.
    Duplicate,
    /// It was answered, but the answer could not be handed in.
    Unanswered,
}

impl Ending {
    /// Whether nothing more becomes of it.
    #[must_use]
    pub fn is_final(self) -> bool {
        self != Ending::Retried
    }
}

/// A message and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The service that had it.
    pub service: String,
    /// The event type, or the key of a call; `unknown` where it could not be read.
    pub event_type: String,
    /// The id of its envelope, where that could be read.
    pub id: Option<String>,
    /// How it ended.
    pub ending: Ending,
}
