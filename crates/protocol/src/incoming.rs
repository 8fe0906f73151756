//! What a message asks of its receiver: a resource, or a function. Made from a decoded
//! message; how it is answered is known above.

use std::fmt;

use serde_json::{Map, Value};

use crate::{DecodeError, Limits, Method, Query, Task, json};

/// A request for a resource. What is `null` on the wire is `None`.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct IncomingRequest {
    /// Where the answer is awaited. Without one nobody waits; Python then answers to the key `None`.
    pub response_key: Option<String>,
    /// What is to be done; `None` where none is named, or one that is not known.
    pub method: Option<Method>,
    /// The method as it was named.
    pub method_name: Option<String>,
    /// The one that is meant; `id` in zc_events 0.1. What Python takes for false (an empty text, 0) is `None`.
    pub pk: Option<Value>,
    /// On whose behalf.
    pub user_id: Option<Value>,
    /// With which roles.
    pub roles: Vec<String>,
    /// The query, encoded.
    pub query_string: Option<String>,
    /// A resource below the one that is meant.
    pub related_resource: Option<String>,
    /// The relationship itself rather than what it leads to.
    pub relationship: Option<String>,
    /// The document to create or change.
    pub body: Option<Value>,
    /// The host that links in the answer are to name.
    pub http_host: Option<String>,
}

impl IncomingRequest {
    pub(crate) fn read(kwargs: &Map<String, Value>) -> Self {
        let value = |key: &str| kwargs.get(key).filter(|value| !value.is_null()).cloned();
        let text = |key: &str| kwargs.get(key).and_then(Value::as_str).map(str::to_owned);
        let name = |key: &str| text(key).filter(|name| !name.is_empty());
        let method_name = text("method");
        Self {
            response_key: text("response_key"),
            method: method_name.as_deref().and_then(|name| name.parse().ok()),
            method_name,
            pk: value(if kwargs.contains_key("pk") { "pk" } else { "id" }).filter(|pk| !is_falsy(pk)),
            user_id: value("user_id"),
            roles: roles(kwargs.get("roles")),
            query_string: text("query_string"),
            related_resource: name("related_resource"),
            relationship: name("relationship"),
            body: value("body"),
            http_host: text("http_host"),
        }
    }

    /// The parameters of the query.
    ///
    /// # Errors
    /// As for [`Query::parse`].
    pub fn query(&self) -> Result<Query, DecodeError> {
        Query::parse(self.query_string.as_deref().unwrap_or_default())
    }

    /// The body as JSON, which some versions of Python send as such and others as a text of it. `None` where it is
    /// empty.
    ///
    /// ```
    /// use serde_json::json;
    /// use zc_events_protocol::{EncodeOptions, Limits, ResourceRequest, Task};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// for body in [json!({"data": null}), json!("{\"data\":null}")] {
    ///     let encoded = ResourceRequest::new("Order").body(body).encode(&EncodeOptions::default())?;
    ///     let task = Task::decode(&encoded.properties, &encoded.body, &Limits::default())?;
    ///     let request = task.resource_request().ok_or("no request")?;
    ///     assert_eq!(request.document(&Limits::default())?, Some(json!({"data": null})));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Any [`DecodeError`] of JSON, where the body is a text of something else.
    pub fn document(&self, limits: &Limits) -> Result<Option<Value>, DecodeError> {
        match &self.body {
            None => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) => json::parse(text.as_bytes(), limits.depth).map(Some),
            Some(document) => Ok(Some(document.clone())),
        }
    }
}

fn roles(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(roles)) => roles.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(role)) => vec![role.clone()],
        _ => Vec::new(),
    }
}

/// Whether Python takes a value for false.
pub(crate) fn is_falsy(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(it) => !it,
        Value::Number(it) => it.as_f64() == Some(0.0),
        Value::String(it) => it.is_empty(),
        Value::Array(it) => it.is_empty(),
        Value::Object(it) => it.is_empty(),
    }
}

/// A call by key.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct IncomingCall {
    /// The key of the function.
    pub key: String,
    /// What the function gets.
    pub data: Value,
    /// What it gets beside the data.
    pub headers: Value,
    /// The id of the call.
    pub id: Option<String>,
    /// Where the answer is awaited; `None` where nobody waits.
    pub response_key: Option<String>,
    /// The method; `None` where none is named, or one that is not known.
    pub method: Option<Method>,
}

impl IncomingCall {
    pub(crate) fn read(task: &Task) -> Option<Self> {
        let key = task.event_type()?.to_owned();
        let call = task.args.get(1)?.as_object()?;
        let backend = call.get("_backend")?.as_object()?;
        let text = |key: &str| call.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            key,
            data: call.get("data").cloned().unwrap_or_default(),
            headers: call.get("headers").cloned().unwrap_or_default(),
            id: text("id").or_else(|| task.id.clone()),
            response_key: text("response_key").or_else(|| task.response_key.clone()),
            method: backend.get("method").and_then(Value::as_str).and_then(|name| name.parse().ok()),
        })
    }

    /// With which roles: the header `roles`.
    #[must_use]
    pub fn roles(&self) -> Vec<String> {
        roles(self.headers.get("roles"))
    }

    /// The call as a request that a view can answer, as Python has it: the data is the body, and the headers say the rest
    /// (`pk`, `roles`, `user_id`, `query_string`, `related_resource`, `relationship`, `http_host`).
    #[must_use]
    pub fn request(&self) -> IncomingRequest {
        let headers = self.headers.as_object().cloned().unwrap_or_default();
        IncomingRequest {
            response_key: self.response_key.clone(),
            method: self.method,
            method_name: self.method.map(|method| method.to_string()),
            pk: headers.get("pk").filter(|pk| !is_falsy(pk)).cloned(),
            body: Some(self.data.clone()).filter(|data| !is_falsy(data)),
            ..IncomingRequest::read(&headers)
        }
    }
}

impl fmt::Debug for IncomingRequest {
    /// Without what may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingRequest")
            .field("method", &self.method)
            .field("response_key", &self.response_key)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for IncomingCall {
    /// Without what may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingCall")
            .field("key", &self.key)
            .field("method", &self.method)
            .field("id", &self.id)
            .field("response_key", &self.response_key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Limits, Properties};

    fn task(envelope: &Value) -> Task {
        Task::decode(&Properties::default(), envelope.to_string().as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn all_that_pythons_responder_looks_for_is_read() {
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
    fn headers_of_a_call_are_given_as_they_came() {
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
