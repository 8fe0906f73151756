//! A received message that holds its bytes and is parsed when asked.

use std::fmt;
use std::sync::OnceLock;
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::resource::{DeserializeError, deserialize};
use crate::{DecodeError, Limits, Properties, Protocol, Task, peek_event_type};

/// A received message: properties and body. It is parsed when a method first needs that, and only once.
///
/// [`TaskMessage::peek_event_type`] needs no parsing. [`TaskMessage::head`] has the fields by which a service routes,
/// delays or discards the message. [`TaskMessage::payload`] is for the handler.
///
/// ```
/// use zc_events_protocol::{EncodeOptions, Event, Limits, TaskMessage};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// #[derive(serde::Deserialize)]
/// struct OrderCreated {
///     total: f64,
/// }
///
/// let encoded = Event::new("order_created").set("total", 12.5)?.encode(&EncodeOptions::default())?;
/// let message = TaskMessage::new(encoded.properties, encoded.body, Limits::default());
/// assert_eq!(message.peek_event_type(), Some("order_created"));
/// assert!(message.head()?.expires.is_none());
/// let payload: OrderCreated = message.payload()?;
/// assert_eq!(payload.total, 12.5);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TaskMessage {
    properties: Properties,
    body: Vec<u8>,
    limits: Limits,
    task: OnceLock<Result<Task, DecodeError>>,
}

/// The fields of a message by which a service routes, delays or discards it. They have the same meaning as in [`Task`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskHead<'a> {
    /// The protocol of the message.
    pub protocol: Protocol,
    /// The name of the task.
    pub task: &'a str,
    /// The type of the event, or the key of the call.
    pub event_type: Option<&'a str>,
    /// The id of the message.
    pub id: Option<&'a str>,
    /// The id of the first message of the chain, if known.
    pub root_id: Option<&'a str>,
    /// How many times Celery has retried the task.
    pub retries: u32,
    /// Receivers hold the message back until this time.
    pub eta: Option<SystemTime>,
    /// Receivers discard the message from this time on.
    pub expires: Option<SystemTime>,
    /// The response key at the top level, where zc_events 0.3 puts the response key of a call.
    pub response_key: Option<&'a str>,
}

/// Why a message has no payload of the requested type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The message cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The payload does not match the type.
    #[error(transparent)]
    Mismatch(#[from] DeserializeError),
}

impl TaskMessage {
    /// A message that was received with these properties and this body. Nothing is parsed yet.
    #[must_use]
    pub fn new(properties: Properties, body: Vec<u8>, limits: Limits) -> Self {
        Self { properties, body, limits, task: OnceLock::new() }
    }

    /// The properties as received.
    #[must_use]
    pub fn properties(&self) -> &Properties {
        &self.properties
    }

    /// The body as received.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The properties and the body as received, to send the message again.
    #[must_use]
    pub fn into_parts(self) -> (Properties, Vec<u8>) {
        (self.properties, self.body)
    }

    /// The event type, if the first bytes of the body suffice: see [`peek_event_type`].
    #[must_use]
    pub fn peek_event_type(&self) -> Option<&str> {
        peek_event_type(&self.properties, &self.body)
    }

    /// The whole message.
    ///
    /// # Errors
    /// As for [`Task::decode`]; the same error each time.
    pub fn task(&self) -> Result<&Task, DecodeError> {
        self.task
            .get_or_init(|| Task::decode(&self.properties, &self.body, &self.limits))
            .as_ref()
            .map_err(DecodeError::clone)
    }

    /// The fields by which a service routes, delays or discards the message.
    ///
    /// # Errors
    /// As for [`TaskMessage::task`].
    pub fn head(&self) -> Result<TaskHead<'_>, DecodeError> {
        let task = self.task()?;
        Ok(TaskHead {
            protocol: task.protocol,
            task: &task.task,
            event_type: task.event_type(),
            id: task.id.as_deref(),
            root_id: task.root_id.as_deref(),
            retries: task.retries,
            eta: task.eta,
            expires: task.expires,
            response_key: task.response_key.as_deref(),
        })
    }

    /// The positional arguments, the event type first.
    ///
    /// # Errors
    /// As for [`TaskMessage::task`].
    pub fn args(&self) -> Result<&[Value], DecodeError> {
        Ok(&self.task()?.args)
    }

    /// The keyword arguments, `task_id` among them.
    ///
    /// # Errors
    /// As for [`TaskMessage::task`].
    pub fn kwargs(&self) -> Result<&Map<String, Value>, DecodeError> {
        Ok(&self.task()?.kwargs)
    }

    /// The payload of an event: the keyword arguments without `task_id`, as a type of the handler.
    ///
    /// # Errors
    /// [`PayloadError`] says whether the message or the type is the problem.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        let mut kwargs = self.kwargs()?.clone();
        kwargs.remove("task_id");
        Ok(deserialize(&Value::Object(kwargs))?)
    }
}

impl fmt::Debug for TaskMessage {
    /// Without the body, which may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskMessage")
            .field("properties", &self.properties)
            .field("body_len", &self.body.len())
            .field("is_parsed", &self.task.get().is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EncodeOptions, Event};

    fn message(body: &[u8]) -> TaskMessage {
        TaskMessage::new(Properties::default(), body.to_vec(), Limits::default())
    }

    #[test]
    fn peeking_does_not_parse() {
        let message = message(br#"{"task": "microservice.event", "args": ["e"], "kwargs": {"cut"#);
        assert_eq!(message.peek_event_type(), Some("e"));
        assert!(format!("{message:?}").contains("is_parsed: false"));
        assert_eq!(message.task().unwrap_err().reason(), "malformed");
        assert!(format!("{message:?}").contains("is_parsed: true"));
    }

    #[test]
    fn the_verdict_is_that_of_decoding_at_once() {
        for body in
            [&b""[..], b"{}", b"[[], {}, {}]", br#"{"task": "t", "args": 5}"#, br#"{"task": "t", "eta": "soon"}"#]
        {
            let lazy = message(body);
            let whole = Task::decode(&Properties::default(), body, &Limits::default());
            assert_eq!(lazy.head().map(drop), whole.clone().map(drop), "{body:?}");
            assert_eq!(lazy.kwargs().cloned(), whole.map(|task| task.kwargs), "{body:?}");
        }
    }

    #[test]
    fn the_payload_is_the_keyword_arguments_without_task_id() {
        let encoded = Event::new("e").set("x", 1).unwrap().encode(&EncodeOptions::default()).unwrap();
        let message = TaskMessage::new(encoded.properties, encoded.body, Limits::default());
        assert!(message.kwargs().unwrap().contains_key("task_id"));
        let payload: Map<String, Value> = message.payload().unwrap();
        assert_eq!(Value::Object(payload), serde_json::json!({"x": 1}));
        #[derive(Debug, serde::Deserialize)]
        struct Strings {
            #[expect(dead_code, reason = "the value does not match")]
            x: String,
        }
        let error = message.payload::<Strings>().unwrap_err();
        assert!(matches!(error, PayloadError::Mismatch(_)), "{error}");
        assert!(matches!(self::message(b"").payload::<Value>(), Err(PayloadError::Decode(DecodeError::Empty))));
    }
}
