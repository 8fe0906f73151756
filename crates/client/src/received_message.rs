//! A message as a receiver reads it: for watching, for dead letters, and for tests.

use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use zc_events_protocol::resource::deserialize;
use zc_events_protocol::{
    DecodeError, HeaderValue, IncomingCall, IncomingRequest, Limits, Properties, Protocol, Task, names,
};

use crate::{Error, Result};

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageKind {
    /// An event.
    Event,
    /// A request for a resource.
    Request,
    /// A call by key.
    Call,
    /// A notification.
    Notification,
    /// Another task of Celery.
    Other,
    /// The message cannot be read.
    Unreadable,
}

/// A received message. `Debug` shows its kind, type and id, but not its payload.
#[derive(Clone)]
pub struct Message {
    task: Result<Task, DecodeError>,
    exchange: String,
    routing_key: String,
    properties: Properties,
    body: Arc<[u8]>,
}

impl Message {
    /// Reads a message as its receivers do. A message that cannot be read has the kind [`MessageKind::Unreadable`].
    #[must_use]
    pub fn read(exchange: &str, routing_key: &str, properties: &Properties, body: &[u8], limits: &Limits) -> Self {
        Self {
            task: Task::decode(properties, body, limits),
            exchange: exchange.to_owned(),
            routing_key: routing_key.to_owned(),
            properties: properties.clone(),
            body: body.into(),
        }
    }

    /// The kind of the message.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        match &self.task {
            Err(_) => MessageKind::Unreadable,
            Ok(task) if task.task == names::NOTIFICATION_TASK => MessageKind::Notification,
            Ok(task) if task.task != names::EVENT_TASK => MessageKind::Other,
            Ok(task) if task.call().is_some() => MessageKind::Call,
            Ok(task) if task.resource_request().is_some() => MessageKind::Request,
            Ok(_) => MessageKind::Event,
        }
    }

    /// Why no service can handle the message: a reason that does not change between versions, and a sentence for people. The
    /// message cannot be read, or is an event or a notification without a type. `None` if there is no error.
    #[must_use]
    pub fn error(&self) -> Option<(&'static str, String)> {
        match (&self.task, self.kind()) {
            (Err(error), _) => Some((error.reason(), error.to_string())),
            (Ok(task), MessageKind::Event | MessageKind::Notification) if task.event_type().is_none() => Some((
                "no_event_type",
                "it has no event type: its first positional argument is not a string".to_owned(),
            )),
            _ => None,
        }
    }

    fn task(&self) -> Option<&Task> {
        self.task.as_ref().ok()
    }

    /// The event type, such as `order_created` or `order_request`; the key of a call. Empty if the message has no event type.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.task().and_then(Task::event_type).unwrap_or_default()
    }

    /// The name of the task, usually `microservice.event`.
    #[must_use]
    pub fn task_name(&self) -> Option<&str> {
        self.task().map(|task| task.task.as_str())
    }

    /// The protocol of Celery that the message was sent in.
    #[must_use]
    pub fn protocol(&self) -> Option<Protocol> {
        self.task().map(|task| task.protocol)
    }

    /// The id of the message.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.task()?.id.as_deref()
    }

    /// The `task_id` that the sender set; usually the id.
    #[must_use]
    pub fn task_id(&self) -> Option<&str> {
        self.task()?.task_id()
    }

    /// The id of the message whose handler sent this one, if the sender set it.
    #[must_use]
    pub fn parent_id(&self) -> Option<&str> {
        self.task()?.parent_id.as_deref()
    }

    /// The positional arguments after the event type; all arguments if there is no event type.
    #[must_use]
    pub fn args(&self) -> &[Value] {
        let Some(task) = self.task() else { return &[] };
        task.args.get(usize::from(task.event_type().is_some())..).unwrap_or_default()
    }

    /// The keyword arguments, with `task_id`. Empty if the message cannot be read.
    #[must_use]
    pub fn kwargs(&self) -> &Map<String, Value> {
        static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        self.task().map_or(&NONE, |task| &task.kwargs)
    }

    /// The request, if the message is one.
    #[must_use]
    pub fn request(&self) -> Option<IncomingRequest> {
        self.task()?.resource_request()
    }

    /// The call, if the message is one.
    #[must_use]
    pub fn call(&self) -> Option<IncomingCall> {
        self.task()?.call()
    }

    /// The payload as a `T`, as a handler receives it: the keyword arguments without `task_id`, or the data of a call.
    ///
    /// # Errors
    /// [`Error::Decode`] names the field that does not match, or says why the message cannot be read.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T> {
        let task = self.task.as_ref().map_err(|error| Error::decode("the message", error.clone()))?;
        let payload = match task.call() {
            Some(call) => call.data,
            None => {
                let mut kwargs = task.kwargs.clone();
                kwargs.remove("task_id");
                Value::Object(kwargs)
            }
        };
        deserialize(&payload).map_err(|error| Error::decode(&format!("the payload of `{}`", self.event_type()), error))
    }

    /// The priority.
    #[must_use]
    pub fn priority(&self) -> Option<u8> {
        self.properties.priority
    }

    /// The exchange; empty for a message that was sent directly to a queue.
    #[must_use]
    pub fn exchange(&self) -> &str {
        &self.exchange
    }

    /// The routing key: empty for events, the channel for notifications.
    #[must_use]
    pub fn routing_key(&self) -> &str {
        &self.routing_key
    }

    /// The `message_id` of its properties.
    #[must_use]
    pub fn message_id(&self) -> Option<&str> {
        self.properties.message_id.as_deref()
    }

    /// The `content_type` of its properties, usually `application/json`.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.properties.content_type.as_deref()
    }

    /// The `content_encoding` of its properties: the character set of a JSON body.
    #[must_use]
    pub fn content_encoding(&self) -> Option<&str> {
        self.properties.content_encoding.as_deref()
    }

    /// The headers as JSON: times in seconds since 1970, bytes as lists of numbers.
    #[must_use]
    pub fn headers(&self) -> Map<String, Value> {
        self.properties.headers.iter().flatten().map(|(name, value)| (name.clone(), json(value))).collect()
    }

    /// The body as it was received.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn properties(&self) -> &Properties {
        &self.properties
    }
}

fn json(value: &HeaderValue) -> Value {
    match value {
        HeaderValue::Bool(value) => (*value).into(),
        HeaderValue::Int(number) => (*number).into(),
        HeaderValue::Float(number) => (*number).into(),
        HeaderValue::Text(text) => text.as_str().into(),
        HeaderValue::Bytes(bytes) => bytes.as_slice().into(),
        HeaderValue::Timestamp(seconds) => (*seconds).into(),
        HeaderValue::List(list) => list.iter().map(json).collect(),
        HeaderValue::Table(table) => {
            table.iter().map(|(name, value)| (name.clone(), json(value))).collect::<Map<_, _>>().into()
        }
        _ => Value::Null,
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("kind", &self.kind())
            .field("event_type", &self.event_type())
            .field("id", &self.id())
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(body: &Value) -> Message {
        let properties = Properties { content_type: Some("application/json".to_owned()), ..Properties::default() };
        Message::read("x", "", &properties, body.to_string().as_bytes(), &Limits::default())
    }

    #[test]
    fn the_event_type_is_not_an_argument() {
        for (task, args, event_type, rest) in [
            ("microservice.event", json!(["e", 5]), "e", json!([5])),
            ("microservice.event", json!([5, 6]), "", json!([5, 6])),
            ("microservice.event", json!([]), "", json!([])),
            ("other.task", json!([[1], 2]), "", json!([[1], 2])),
            ("other.task", json!(["e", 2]), "e", json!([2])),
        ] {
            let message = read(&json!({"task": task, "id": "1", "args": args, "kwargs": {}}));
            assert_eq!((message.event_type(), json!(message.args())), (event_type, rest), "{task} {args}");
            let lacks = event_type.is_empty() && task == "microservice.event";
            assert_eq!(message.error().map(|(reason, _)| reason), lacks.then_some("no_event_type"), "{task} {args}");
        }
        assert_eq!(read(&json!("x")).kind(), MessageKind::Unreadable);
    }
}
