//! A decoded message of either protocol. `celery::decode` makes it.

use std::fmt;
use std::time::SystemTime;

use serde_json::{Map, Value};

use crate::{IncomingCall, IncomingRequest, Protocol};

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
    /// The protocol of the message.
    pub protocol: Protocol,
    /// The name of the task, usually [`EVENT_TASK`](crate::names::EVENT_TASK).
    pub task: String,
    /// The id of the message. It may be missing in hand-made messages of protocol 1.
    pub id: Option<String>,
    /// The id of the first message of the chain, if known: in protocol 2, and in protocol 1 from this project.
    pub root_id: Option<String>,
    /// The id of the message whose handler sent this message, if known.
    pub parent_id: Option<String>,
    /// The positional arguments, the event type first.
    pub args: Vec<Value>,
    /// The keyword arguments, `task_id` among them.
    pub kwargs: Map<String, Value>,
    /// How many times Celery has retried the task.
    pub retries: u32,
    /// Receivers hold the message back until this time.
    pub eta: Option<SystemTime>,
    /// Receivers discard the message from this time on.
    pub expires: Option<SystemTime>,
    /// The response key at the top level, where zc_events 0.3 puts the response key of a call.
    pub response_key: Option<String>,
    /// The priority, from the properties.
    pub priority: Option<u8>,
    /// The sender, if known.
    pub origin: Option<String>,
}

impl Task {
    /// The type of the event, or the key of the call.
    #[must_use]
    pub fn event_type(&self) -> Option<&str> {
        self.args.first().and_then(Value::as_str)
    }

    /// The keyword `task_id`, or else the id of the message. Senders choose it: use [`Task::id`] to tell messages
    /// apart.
    #[must_use]
    pub fn task_id(&self) -> Option<&str> {
        self.kwargs.get("task_id").and_then(Value::as_str).or(self.id.as_deref())
    }

    /// The request, if this message requests a resource: its type ends in `_request`, and there is a method or a
    /// response key.
    #[must_use]
    pub fn resource_request(&self) -> Option<IncomingRequest> {
        let is_request = self.event_type()?.ends_with("_request")
            && (self.kwargs.contains_key("method") || self.kwargs.contains_key("response_key"));
        is_request.then(|| IncomingRequest::read(&self.kwargs))
    }

    /// The call, if this message calls a function by key: the second argument is an object with a `_backend`.
    #[must_use]
    pub fn call(&self) -> Option<IncomingCall> {
        IncomingCall::read(&self.args, self.id.as_deref(), self.response_key.as_deref())
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Limits, Method, Properties};

    fn task(envelope: &Value) -> Task {
        Task::decode(&Properties::default(), envelope.to_string().as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn all_fields_of_pythons_responder_are_read() {
        let asked = task(&json!({"task": "microservice.event", "args": ["order_request"], "kwargs": {
            "response_key": "k", "method": "PATCH", "pk": 5, "user_id": "56", "roles": ["user"], "query_string": "a=1",
            "related_resource": "items", "relationship": "company", "body": "{}", "http_host": "shop.example.com"
        }}));
        let request = asked.resource_request().unwrap();
        assert_eq!(request.http_host.as_deref(), Some("shop.example.com"));
        assert_eq!(
            (request.relationship.as_deref(), request.related_resource.as_deref()),
            (Some("company"), Some("items"))
        );
        assert_eq!(
            (request.method, request.pk, request.user_id),
            (Some(Method::Patch), Some(json!(5)), Some(json!("56")))
        );
        assert_eq!((request.query_string.as_deref(), request.body), (Some("a=1"), Some(json!("{}"))));
        assert_eq!((request.roles, request.response_key.as_deref()), (vec!["user".to_owned()], Some("k")));
    }

    #[test]
    fn headers_of_a_call_are_not_changed() {
        let headers = json!({"pk": 3, "roles": ["user"], "user_id": "56", "query_string": "x=1",
            "http_host": "shop.example.com", "relationship": "company", "related_resource": "items", "x-mine": [1]});
        let called = task(&json!({"task": "microservice.event", "args": ["echo", {
            "data": null, "headers": headers, "_backend": {"method": "GET"}
        }]}));
        let call = called.call().unwrap();
        assert_eq!((&call.headers, &call.data), (&headers, &Value::Null));
        assert_eq!(call.roles(), ["user"]);
    }
}
