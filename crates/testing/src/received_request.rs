//! What a service is asked: a request for a resource, or a call by key, in one form that expectations are held against.

use std::fmt;

use serde_json::Value;
use zc_events_protocol::{IncomingCall, Method, Query, Task, names};

/// What was asked.
#[derive(Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) what: What,
    /// As it was named, in capitals; `None` where none was.
    pub(crate) method: Option<String>,
    pub(crate) pk: Option<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) related_resource: Option<String>,
    pub(crate) relationship: Option<String>,
    pub(crate) user: Option<Value>,
    pub(crate) roles: Vec<String>,
    /// What came along: a document to create or change, or the data of a call.
    pub(crate) data: Option<Value>,
    /// What a call gets beside its data; null of a request for a resource.
    pub(crate) headers: Value,
    /// Where the answer is awaited.
    pub(crate) response_key: Option<String>,
}

/// Of whom it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A resource, by the event type of requests for it.
    Resource { event_type: String },
    /// A function, by its key.
    Call { key: String },
}

impl Asked {
    /// What a message asks; `None` where it is a plain event.
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
            what: What::Resource { event_type: event_type.to_owned() },
            method: request.method_name.map(|name| name.to_uppercase()),
            pk: request.pk.as_ref().map(text),
            query: query(request.query_string.as_deref().unwrap_or_default()),
            related_resource: request.related_resource,
            relationship: request.relationship,
            user: request.user_id,
            roles: request.roles,
            data: request.body,
            headers: Value::Null,
            response_key: request.response_key,
        })
    }

    /// Of a call the headers say what of a request its keyword arguments do.
    fn of_call(call: IncomingCall) -> Self {
        let header = |name: &str| call.headers.get(name).filter(|value| !value.is_null());
        Self {
            pk: header("pk").map(text),
            query: query(header("query_string").and_then(Value::as_str).unwrap_or_default()),
            related_resource: None,
            relationship: None,
            user: header("user_id").cloned(),
            roles: call.roles(),
            what: What::Call { key: call.key },
            method: call.method.map(Method::as_str).map(str::to_owned),
            data: Some(call.data),
            headers: call.headers,
            response_key: call.response_key,
        }
    }
}

/// A key as text: a number as its digits.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// One that cannot be read is none: no expectation about it fits.
fn query(text: &str) -> Vec<(String, String)> {
    let query = Query::parse(text).unwrap_or_default();
    query.pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

impl What {
    pub(crate) fn resource(name: &str) -> Self {
        What::Resource { event_type: names::request_event_type(name) }
    }

    /// The event type that leads to it.
    pub(crate) fn event_type(&self) -> &str {
        match self {
            What::Resource { event_type } => event_type,
            What::Call { key } => key,
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Resource { event_type } => {
                let words = event_type.strip_suffix("_request").unwrap_or(event_type).split('_');
                words.into_iter().try_for_each(|word| {
                    let mut letters = word.chars();
                    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
                    write!(f, "{first}{}", letters.as_str())
                })
            }
            What::Call { key } => write!(f, "call of `{key}`"),
        }
    }
}

impl fmt::Display for Asked {
    /// Without what came along, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.as_deref().unwrap_or("(no method)"), self.what)?;
        if let Some(pk) = &self.pk {
            write!(f, " {pk:?}")?;
        }
        write_rest(f, [&self.related_resource, &self.relationship], &self.query)
    }
}

/// What stands behind the resource and its keys, as in a URL.
pub(crate) fn write_rest(
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
