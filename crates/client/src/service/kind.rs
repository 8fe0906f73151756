//! Whether a message is an event or a notification.

use zc_events_protocol::names;

/// What a message is, by its task, whichever queue it came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskKind {
    Event,
    Notification,
}

impl TaskKind {
    /// That of a task of this name; `None` where it is neither.
    pub(super) fn of(task: &str) -> Option<Self> {
        match task {
            names::EVENT_TASK => Some(Self::Event),
            names::NOTIFICATION_TASK => Some(Self::Notification),
            _ => None,
        }
    }
}
