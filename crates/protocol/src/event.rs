//! An event: something happened, and every service that is bound gets a copy.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::celery::{self, Args, Envelope, Kwargs};
use crate::names::EVENT_TASK;
use crate::{EncodeError, EncodeOptions, Encoded, Protocol, json};

/// An event. [`Event::new`] makes the id, so that sending it again sends the same event.
///
/// ```
/// use zc_events_protocol::{EncodeOptions, Event};
/// # fn main() -> Result<(), zc_events_protocol::EncodeError> {
/// let event = Event::new("order_created").resource("Order", 23131024).user("56").set("total", 12.5)?;
/// let encoded = event.encode(&EncodeOptions::default())?;
/// assert!(encoded.properties.headers.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct Event {
    id: String,
    event_type: String,
    args: Vec<Value>,
    kwargs: Map<String, Value>,
    task_id: Option<String>,
    priority: Option<u8>,
}

impl Event {
    /// An event of that type, with a fresh id, no arguments and priority 0.
    #[must_use]
    pub fn new(event_type: impl Into<String>) -> Self {
        Self {
            id: Uuid::new_v4().to_string(),
            event_type: event_type.into(),
            args: Vec::new(),
            kwargs: Map::new(),
            task_id: None,
            priority: Some(0),
        }
    }

    /// Replaces the id. An id has at most 255 bytes.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Adds a positional argument.
    ///
    /// # Errors
    /// [`EncodeError::NotFinite`], [`EncodeError::TooDeep`] and others, if some service of the fleet could not read the
    /// value as JSON.
    pub fn arg<T: Serialize>(mut self, value: T) -> Result<Self, EncodeError> {
        self.args.push(json::to_value("args", &value)?);
        Ok(self)
    }

    /// Sets a keyword argument.
    ///
    /// # Errors
    /// As for [`Event::arg`]; [`EncodeError::ReservedKey`] for `task_id` and `event_type`. Python's listeners have a
    /// parameter `event_type`, and raise for an argument of the same name.
    pub fn set<T: Serialize>(mut self, key: impl Into<String>, value: T) -> Result<Self, EncodeError> {
        const RESERVED: [(&str, &str); 2] =
            [("task_id", "`Event::task_id`"), ("event_type", "`Event::new`, or another name")];
        let key = key.into();
        if let Some((key, instead)) = RESERVED.into_iter().find(|(reserved, _)| *reserved == key) {
            return Err(EncodeError::ReservedKey { key, instead });
        }
        let value = json::to_value(&key, &value)?;
        self.kwargs.insert(key, value);
        Ok(self)
    }

    /// Sets the resource that the event is about: `resource_type` and `resource_id`.
    #[must_use]
    pub fn resource(mut self, resource_type: &str, resource_id: impl Into<Value>) -> Self {
        self.kwargs.insert("resource_type".to_owned(), resource_type.into());
        self.kwargs.insert("resource_id".to_owned(), resource_id.into());
        self
    }

    /// Sets the user who caused the event: `user_id`.
    #[must_use]
    pub fn user(mut self, user_id: impl Into<Value>) -> Self {
        self.kwargs.insert("user_id".to_owned(), user_id.into());
        self
    }

    /// Adds details: `meta`.
    ///
    /// # Errors
    /// As for [`Event::arg`].
    pub fn meta<T: Serialize>(self, meta: &T) -> Result<Self, EncodeError> {
        self.set("meta", meta)
    }

    /// Sets the keyword `task_id`, whose default is the id. The id stays the same.
    #[must_use]
    pub fn task_id(mut self, task_id: impl Into<String>) -> Self {
        self.task_id = Some(task_id.into());
        self
    }

    /// Sets the priority. Queues of the fleet use 0 to 10 and treat more as 10.
    #[must_use]
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Sends no priority, as requests do.
    #[must_use]
    pub fn no_priority(mut self) -> Self {
        self.priority = None;
        self
    }

    /// The id of the message.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The event type, by which receivers choose a handler.
    #[must_use]
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The positional arguments after the type.
    #[must_use]
    pub fn args(&self) -> &[Value] {
        &self.args
    }

    /// The keyword arguments without `task_id`.
    #[must_use]
    pub fn kwargs(&self) -> &Map<String, Value> {
        &self.kwargs
    }

    /// The keyword `task_id` as it is sent.
    #[must_use]
    pub fn effective_task_id(&self) -> &str {
        self.task_id.as_deref().unwrap_or(&self.id)
    }

    /// The priority that is sent, if any.
    #[must_use]
    pub fn effective_priority(&self) -> Option<u8> {
        self.priority
    }

    /// Encodes the event, in protocol 1 unless the options name another.
    ///
    /// # Errors
    /// [`EncodeError::BadName`] for an empty type or id, [`EncodeError::TooLarge`], [`EncodeError::TooDeep`],
    /// [`EncodeError::Time`].
    pub fn encode(&self, options: &EncodeOptions) -> Result<Encoded, EncodeError> {
        self.encode_as(EVENT_TASK, options)
    }

    /// An event with these keyword arguments.
    pub(crate) fn from_kwargs(event_type: String, kwargs: Map<String, Value>) -> Self {
        Self { kwargs, ..Self::new(event_type) }
    }

    pub(crate) fn encode_as(&self, task: &str, options: &EncodeOptions) -> Result<Encoded, EncodeError> {
        let envelope = Envelope {
            task,
            id: &self.id,
            args: Args { first: &self.event_type, rest: &self.args },
            kwargs: Kwargs { task_id: Some(self.effective_task_id()), rest: Some(&self.kwargs) },
            call: None,
            priority: self.priority,
            default_protocol: Protocol::V1,
        };
        celery::encode(&envelope, options)
    }
}

impl fmt::Debug for Event {
    /// Without the values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("event_type", &self.event_type)
            .field("id", &self.id)
            .field("args", &self.args.len())
            .field("kwargs", &self.kwargs.keys().collect::<Vec<_>>())
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn debug_shows_no_value() {
        let event = Event::new("e").arg("hush").unwrap().set("password", "hush").unwrap();
        let text = format!("{event:?} {:?}", event.encode(&EncodeOptions::default()).unwrap());
        assert!(text.contains("password") && !text.contains("hush"), "{text}");
    }

    #[test]
    fn reserved_keywords_are_refused() {
        assert!(matches!(Event::new("e").set("task_id", 1), Err(EncodeError::ReservedKey { .. })));
        assert!(matches!(Event::new("e").set("event_type", 1), Err(EncodeError::ReservedKey { .. })));
        assert_eq!(Event::new("e").with_id("1").effective_task_id(), "1");
        assert_eq!(Event::new("e").task_id("mine").effective_task_id(), "mine");
    }

    #[test]
    fn values_that_python_cannot_read_are_refused() {
        let options = EncodeOptions::default();
        assert!(matches!(Event::new("").encode(&options), Err(EncodeError::BadName { .. })));
        assert!(matches!(Event::new("e").with_id("").encode(&options), Err(EncodeError::BadName { .. })));
        assert!(matches!(Event::new("e").set("x", f64::NAN), Err(EncodeError::NotFinite { .. })));
        let deep = (0..101).fold(json!(1), |value, _| json!([value]));
        let event = Event::new("e").resource("Order", deep);
        assert!(matches!(event.encode(&options), Err(EncodeError::TooDeep { .. })));
        let event = Event::new("e").set("x", "x".repeat(16 * 1024 * 1024)).unwrap();
        assert!(matches!(event.encode(&options), Err(EncodeError::TooLarge { .. })));
    }
}
