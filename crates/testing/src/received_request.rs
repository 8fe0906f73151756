//! A request for a resource or a call by key, as a service receives it. Expectations are matched against it.

use std::fmt;

use serde_json::Value;
use zc_events_protocol::{IncomingCall, Method, Query, Task, names};

/// A request or a call that was received.
#[derive(Clone, PartialEq)]
pub(crate) struct ReceivedRequest {
    pub(crate) target: RequestTarget,
    /// In capitals; `None` if the message names no method.
    pub(crate) method: Option<String>,
    pub(crate) pk: Option<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) related_resource: Option<String>,
    pub(crate) relationship: Option<String>,
    pub(crate) user: Option<Value>,
    pub(crate) roles: Vec<String>,
    /// The document of a request, or the data of a call.
    pub(crate) data: Option<Value>,
    /// The headers of a call; null for a request.
    pub(crate) headers: Value,
    /// The key under which the caller awaits the reply; `None` if it awaits no reply.
    pub(crate) response_key: Option<String>,
}

/// What a request addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestTarget {
    /// A resource, by the event type of requests for it.
    Resource { event_type: String },
    /// A function, by its key.
    Call { key: String },
}

impl ReceivedRequest {
    /// Reads the request of a message; `None` if the message is a plain event.
    pub(crate) fn of(task: &Task) -> Option<Self> {
        let event_type = task.event_type()?;
        if let Some(call) = task.call() {
            return Some(Self::of_call(call));
        }
        if !event_type.ends_with("_request") {
            return None;
        }
        let request = task.resource_request()?;
        Some(Self {
            target: RequestTarget::Resource { event_type: event_type.to_owned() },
            method: request.method_name.map(|name| name.to_uppercase()),
            pk: request.pk.as_ref().map(plain_text),
            query: query_pairs(request.query_string.as_deref().unwrap_or_default()),
            related_resource: request.related_resource,
            relationship: request.relationship,
            user: request.user_id,
            roles: request.roles,
            data: request.body,
            headers: Value::Null,
            response_key: request.response_key,
        })
    }

    /// The headers of a call hold what the keyword arguments of a request hold.
    fn of_call(call: IncomingCall) -> Self {
        let header = |name: &str| call.headers.get(name).filter(|value| !value.is_null());
        Self {
            pk: header("pk").map(plain_text),
            query: query_pairs(header("query_string").and_then(Value::as_str).unwrap_or_default()),
            related_resource: None,
            relationship: None,
            user: header("user_id").cloned(),
            roles: call.roles(),
            target: RequestTarget::Call { key: call.key },
            method: call.method.map(Method::as_str).map(str::to_owned),
            data: Some(call.data),
            headers: call.headers,
            response_key: call.response_key,
        }
    }
}

/// A string without quotes, or any other value as JSON.
pub(crate) fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The parameters of a query; none if the query is invalid.
fn query_pairs(text: &str) -> Vec<(String, String)> {
    let query = Query::parse(text).unwrap_or_default();
    query.pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

impl RequestTarget {
    pub(crate) fn resource(name: &str) -> Self {
        RequestTarget::Resource { event_type: names::request_event_type(name) }
    }

    /// The event type of the messages that address it.
    pub(crate) fn event_type(&self) -> &str {
        match self {
            RequestTarget::Resource { event_type } => event_type,
            RequestTarget::Call { key } => key,
        }
    }

    pub(crate) fn is_call(&self) -> bool {
        matches!(self, RequestTarget::Call { .. })
    }
}

impl fmt::Display for RequestTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestTarget::Resource { event_type } => {
                let words = event_type.strip_suffix("_request").unwrap_or(event_type).split('_');
                words.into_iter().try_for_each(|word| {
                    let mut letters = word.chars();
                    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
                    write!(f, "{first}{}", letters.as_str())
                })
            }
            RequestTarget::Call { key } => write!(f, "call of `{key}`"),
        }
    }
}

impl fmt::Display for ReceivedRequest {
    /// Leaves out the data and the headers, which may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.as_deref().unwrap_or("(no method)"), self.target)?;
        if let Some(pk) = &self.pk {
            write!(f, " {pk:?}")?;
        }
        write_path_and_query(f, [&self.related_resource, &self.relationship], &self.query)
    }
}

/// Writes the part of a URL that follows the resource and its key.
pub(crate) fn write_path_and_query(
    f: &mut fmt::Formatter<'_>,
    names: [&Option<String>; 2],
    query: &[(String, String)],
) -> fmt::Result {
    for name in names.into_iter().flatten() {
        write!(f, "/{name}")?;
    }
    let mut mark = '?';
    for (name, value) in query {
        write!(f, "{mark}{name}={value}")?;
        mark = '&';
    }
    Ok(())
}
