//! A message that arrived, whichever protocol it came in.

use std::fmt;
use std::time::SystemTime;

use serde_json::{Map, Value};

use crate::incoming::{IncomingCall, IncomingRequest};
use crate::{DecodeError, Limits, Properties, Protocol, celery};

/// A decoded message.
///
/// ```
/// use zc_events_protocol::{EncodeOptions, Event, Limits, Task};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let event = Event::new("order_created").user(56);
/// let encoded = event.encode(&EncodeOptions::default())?;
/// let task = Task::decode(&encoded.properties, &encoded.body, &Limits::default())?;
/// assert_eq!(task.event_type(), Some("order_created"));
/// assert_eq!(task.id.as_deref(), Some(event.id()));
/// assert_eq!(task.kwargs["user_id"], 56);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct Task {
    /// The protocol it came in.
    pub protocol: Protocol,
    /// The task, [`EVENT_TASK`](crate::names::EVENT_TASK) as a rule.
    pub task: String,
    /// The id of the message. Hand-made messages of protocol 1 may lack it.
    pub id: Option<String>,
    /// The message that began it all, where that is told: in protocol 2, and by our own of protocol 1.
    pub root_id: Option<String>,
    /// The message in whose handler this one was sent, where that is told.
    pub parent_id: Option<String>,
    /// The positional arguments, the event type first.
    pub args: Vec<Value>,
    /// The keyword arguments, `task_id` among them.
    pub kwargs: Map<String, Value>,
    /// How often Celery has tried it before.
    pub retries: u32,
    /// Until when it is to be held back.
    pub eta: Option<SystemTime>,
    /// When it is to be discarded.
    pub expires: Option<SystemTime>,
    /// The response key at the top level, where zc_events 0.3 puts that of a call.
    pub response_key: Option<String>,
    /// From the properties.
    pub priority: Option<u8>,
    /// Who sent it, where that is told.
    pub origin: Option<String>,
}

impl Task {
    /// Reads a message. Times without a zone are taken as UTC, even where `utc` says that they are not.
    ///
    /// # Errors
    /// [`DecodeError`] says why it is not a message that can be handled, now or later.
    pub fn decode(properties: &Properties, body: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        celery::decode(properties, body, limits)
    }

    /// The type of the event; the key of a call.
    #[must_use]
    pub fn event_type(&self) -> Option<&str> {
        self.args.first().and_then(Value::as_str)
    }

    /// The keyword `task_id`, else the id of the message. Senders choose it: tell messages apart by
    /// [`Task::id`] instead.
    #[must_use]
    pub fn task_id(&self) -> Option<&str> {
        self.kwargs.get("task_id").and_then(Value::as_str).or(self.id.as_deref())
    }

    /// What is asked, where this is a request for a resource: its type ends in `_request`, and there is
    /// a method or a response key.
    #[must_use]
    pub fn resource_request(&self) -> Option<IncomingRequest> {
        let is_request = self.event_type()?.ends_with("_request")
            && (self.kwargs.contains_key("method") || self.kwargs.contains_key("response_key"));
        is_request.then(|| IncomingRequest::read(&self.kwargs))
    }

    /// What is called, where this is a call by key: the second argument is an object with a `_backend`.
    #[must_use]
    pub fn call(&self) -> Option<IncomingCall> {
        IncomingCall::read(self)
    }
}

impl fmt::Debug for Task {
    /// Without the values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("protocol", &self.protocol)
            .field("task", &self.task)
            .field("event_type", &self.event_type())
            .field("id", &self.id)
            .field("args", &self.args.len())
            .field("kwargs", &self.kwargs.keys().collect::<Vec<_>>())
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}
