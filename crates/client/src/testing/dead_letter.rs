//! Dead letters, as a test looks at them.

use std::fmt;

use serde_json::{Map, Value};
use zc_events_protocol::{Limits, Task};
use zc_events_transport::Delivery;

/// A dead letter of a service, and why it is one.
#[derive(Clone)]
#[non_exhaustive]
pub struct DeadLetter {
    /// A short word that stays the same, such as `failed`, `panicked`, `payload_mismatch` or `malformed`.
    pub reason: String,
    /// For people: what the handler said, as a rule.
    pub detail: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The event type; `None` where the message cannot be read.
    pub event_type: Option<String>,
    /// The id of its envelope, where that could be read.
    pub id: Option<String>,
    /// The keyword arguments, where they could be read.
    pub kwargs: Map<String, Value>,
}

impl DeadLetter {
    pub(super) fn of(delivery: &Delivery) -> Self {
        let header = |name: &str| delivery.properties.headers.as_ref().and_then(|headers| headers.get(name));
        let text = |name| header(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        let attempts = header("x-zc-attempts").and_then(|value| value.as_int()).unwrap_or_default();
        let task = Task::decode(&delivery.properties, &delivery.body, &Limits::default()).ok();
        Self {
            reason: text("x-zc-reason"),
            detail: text("x-zc-detail"),
            attempts: u32::try_from(attempts).unwrap_or_default(),
            event_type: task.as_ref().and_then(Task::event_type).map(str::to_owned),
            id: task.as_ref().and_then(|task| task.id.clone()),
            kwargs: task.map(|task| task.kwargs).unwrap_or_default(),
        }
    }
}

impl fmt::Debug for DeadLetter {
    /// Without the arguments, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter")
            .field("reason", &self.reason)
            .field("detail", &self.detail)
            .field("attempts", &self.attempts)
            .field("event_type", &self.event_type)
            .finish_non_exhaustive()
    }
}
