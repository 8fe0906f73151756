//! A request for a resource, as its receiver reads it.

use std::fmt;

use serde_json::{Map, Value};

use crate::truthiness::is_falsy;
use crate::{DecodeError, Limits, Method, Query, json};

/// A request for a resource, as its receiver reads it. A field that is `null` on the wire is `None`.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct IncomingRequest {
    /// The key of the answer in the reply store. `None` if the sender waits for no answer; Python then answers to the
    /// key `None`.
    pub response_key: Option<String>,
    /// The method; `None` if it is missing or unknown.
    pub method: Option<Method>,
    /// The method as it is on the wire.
    pub method_name: Option<String>,
    /// The id of the resource; `id` in zc_events 0.1. A value that is false in Python (an empty string, 0) is `None`.
    pub pk: Option<Value>,
    /// The user on whose behalf the request is sent.
    pub user_id: Option<Value>,
    /// The roles of the user.
    pub roles: Vec<String>,
    /// The query string, encoded.
    pub query_string: Option<String>,
    /// The related resource that is requested in place of the resource itself.
    pub related_resource: Option<String>,
    /// The relationship that is requested in place of the resource itself.
    pub relationship: Option<String>,
    /// The document to create or change.
    pub body: Option<Value>,
    /// The host for links in the answer.
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

    /// The query parameters.
    ///
    /// # Errors
    /// As for [`Query::parse`].
    pub fn query(&self) -> Result<Query, DecodeError> {
        Query::parse(self.query_string.as_deref().unwrap_or_default())
    }

    /// The body as JSON. Some versions of zc_events send JSON, others send it in a string. `None` if the body is empty.
    ///
    /// ```
    /// use serde_json::json;
    /// use zc_events_protocol::{EncodeOptions, Limits, ResourceRequest, Task};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// for body in [json!({"data": null}), json!("{\"data\":null}")] {
    ///     let request = ResourceRequest { body, ..ResourceRequest::new("Order") };
    ///     let encoded = request.encode(&EncodeOptions::default())?;
    ///     let task = Task::decode(&encoded.properties, &encoded.body, &Limits::default())?;
    ///     let request = task.resource_request().ok_or("no request")?;
    ///     assert_eq!(request.document(&Limits::default())?, Some(json!({"data": null})));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Any [`DecodeError`] of JSON, if the body is a string and not JSON.
    pub fn document(&self, limits: &Limits) -> Result<Option<Value>, DecodeError> {
        match &self.body {
            None => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) => json::parse(text.as_bytes(), limits.depth).map(Some),
            Some(document) => Ok(Some(document.clone())),
        }
    }
}

/// The roles of a request or a call: a list of strings, or one string.
pub(crate) fn roles(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(roles)) => roles.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(role)) => vec![role.clone()],
        _ => Vec::new(),
    }
}

impl fmt::Debug for IncomingRequest {
    /// Without fields that may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingRequest")
            .field("method", &self.method)
            .field("response_key", &self.response_key)
            .finish_non_exhaustive()
    }
}
