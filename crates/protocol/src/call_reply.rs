//! The answer to a call in the reply store: plain JSON, `{"data": .., "has_errors": .., "errors": ..}`.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::reply::check_size;
use crate::resource::ErrorObject;
use crate::{DecodeError, EncodeError, Limits, json};

/// The answer to a call.
///
/// ```
/// use zc_events_protocol::{CallReply, Limits, RemoteError};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reply = CallReply::failure([RemoteError::new("KeyError", "'y'")]);
/// let read = CallReply::decode(&reply.encode()?, &Limits::default())?;
/// assert_eq!(read.errors()[0].kind, "KeyError");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct CallReply {
    /// The result of the function.
    pub data: Value,
    /// Whether the function failed.
    pub has_errors: bool,
    /// The errors as they are on the wire; [`CallReply::errors`] reads them.
    pub errors: Value,
}

/// One failure of a [`CallReply`].
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteError {
    /// The class of the exception, or the field that a view refused.
    pub kind: String,
    /// The text of the error. It may contain secrets of the other service.
    pub message: String,
    /// The stack trace, if the other service sends it.
    pub trace: Option<String>,
}

impl RemoteError {
    /// An error without a trace.
    #[must_use]
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: kind.into(), message: message.into(), trace: None }
    }
}

impl CallReply {
    /// An answer with the result of the function.
    ///
    /// # Errors
    /// As for [`Event::arg`](crate::Event::arg).
    pub fn success<T: Serialize>(data: &T) -> Result<Self, EncodeError> {
        Ok(Self { data: json::to_value("data", data)?, has_errors: false, errors: json!([]) })
    }

    /// An answer with the errors of a function that failed.
    #[must_use]
    pub fn failure(errors: impl IntoIterator<Item = RemoteError>) -> Self {
        let errors = errors
            .into_iter()
            // Python's errors always have a trace, and its readers expect one: send an empty one.
            .map(
                |error| json!({"type": error.kind, "message": error.message, "trace": error.trace.unwrap_or_default()}),
            )
            .collect();
        Self { data: Value::Null, has_errors: true, errors: Value::Array(errors) }
    }

    /// The answer of a view that refuses a call: JSON:API errors as djangorestframework-jsonapi writes them.
    #[must_use]
    pub fn refused(errors: &[ErrorObject]) -> Self {
        // Keys are strings and values are JSON, so that serializing cannot fail.
        Self { data: Value::Null, has_errors: true, errors: serde_json::to_value(errors).unwrap_or_default() }
    }

    /// Whether the function failed.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.has_errors
    }

    /// The errors. A view of the Django REST framework answers with an object of fields: each field becomes one error.
    /// A JSON:API error gives its `title` or `code`, and its `detail`.
    #[must_use]
    pub fn errors(&self) -> Vec<RemoteError> {
        match &self.errors {
            Value::Null => Vec::new(),
            Value::Array(errors) => errors.iter().map(remote_error).collect(),
            Value::Object(fields) if is_one_error(&self.errors) && fields.contains_key("type") => {
                vec![remote_error(&self.errors)]
            }
            Value::Object(fields) => {
                fields.iter().map(|(field, found)| RemoteError::new(field.clone(), text(found))).collect()
            }
            other => vec![RemoteError::new("error", text(other))],
        }
    }

    /// Encodes the answer for the reply store.
    ///
    /// # Errors
    /// [`EncodeError::TooDeep`], [`EncodeError::TooLarge`].
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        json::check_depth("data", &self.data)?;
        json::check_depth("errors", &self.errors)?;
        let written = json!({"data": self.data, "has_errors": self.has_errors, "errors": self.errors}).to_string();
        let limit = Limits::default().body;
        if written.len() > limit {
            return Err(EncodeError::TooLarge { what: "reply", size: written.len(), limit });
        }
        Ok(written.into_bytes())
    }

    /// Reads an answer from the reply store. Without `has_errors`, the function failed if there are `errors`.
    ///
    /// # Errors
    /// Any [`DecodeError`] of sizes and JSON; [`DecodeError::BadField`] if the JSON is not such an answer.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        check_size(bytes, limits)?;
        let Value::Object(mut reply) = json::parse(bytes, limits.depth)? else {
            return Err(DecodeError::BadField { name: "reply", why: "is not an object" });
        };
        let data = reply.remove("data").unwrap_or_default();
        let errors = reply.remove("errors").unwrap_or_else(|| json!([]));
        let has_errors = match reply.get("has_errors") {
            Some(Value::Bool(has_errors)) => *has_errors,
            None | Some(Value::Null) => match &errors {
                Value::Null => false,
                Value::Array(errors) => !errors.is_empty(),
                Value::Object(errors) => !errors.is_empty(),
                _ => true,
            },
            Some(_) => return Err(DecodeError::BadField { name: "has_errors", why: "is not a boolean" }),
        };
        Ok(Self { data, has_errors, errors })
    }
}

fn is_one_error(error: &Value) -> bool {
    ["message", "trace", "detail"].iter().any(|key| error.get(key).is_some())
}

fn remote_error(error: &Value) -> RemoteError {
    let first = |keys: &[&str]| keys.iter().find_map(|key| error.get(key)).filter(|value| !value.is_null()).map(text);
    if !error.is_object() {
        return RemoteError::new("error", text(error));
    }
    RemoteError {
        kind: first(&["type", "title", "code", "status"]).unwrap_or_else(|| "error".to_owned()),
        message: first(&["message", "detail"]).unwrap_or_default(),
        trace: first(&["trace"]).filter(|trace| !trace.is_empty()),
    }
}

/// A string as it is, the elements of a list joined, and any other value as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(text).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}

impl fmt::Debug for CallReply {
    /// Without data and errors, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallReply").field("has_errors", &self.has_errors).finish_non_exhaustive()
    }
}

impl fmt::Debug for RemoteError {
    /// Without message and trace, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteError").field("kind", &self.kind).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(errors: Value) -> Vec<(String, String)> {
        CallReply { data: Value::Null, has_errors: true, errors }
            .errors()
            .into_iter()
            .map(|e| (e.kind, e.message))
            .collect()
    }

    fn pair(kind: &str, message: &str) -> (String, String) {
        (kind.to_owned(), message.to_owned())
    }

    #[test]
    fn errors_are_read_in_all_their_forms() {
        assert_eq!(errors(json!([{"type": "KeyError", "message": "'y'", "trace": "T"}])), [pair("KeyError", "'y'")]);
        assert_eq!(errors(json!({"detail": "Not found."})), [pair("detail", "Not found.")]);
        assert_eq!(errors(json!({"name": ["Too long.", "Empty."]})), [pair("name", "Too long.; Empty.")]);
        assert_eq!(errors(json!({"type": "E", "message": "m"})), [pair("E", "m")]);
        assert_eq!(errors(json!([{"title": "Bad", "detail": "d", "status": "400"}])), [pair("Bad", "d")]);
        assert_eq!(errors(json!("boom")), [pair("error", "boom")]);
        assert_eq!(errors(json!([1])), [pair("error", "1")]);
        assert!(errors(json!(null)).is_empty());
    }

    #[test]
    fn missing_members_have_defaults() {
        let read = |json: &str| CallReply::decode(json.as_bytes(), &Limits::default());
        assert_eq!(read(r#"{"data":1}"#), CallReply::success(&1).map_err(|_| DecodeError::Empty));
        assert!(read(r#"{"errors":[1]}"#).unwrap().is_error());
        assert_eq!(read("[]").unwrap_err().reason(), "bad_field");
        assert_eq!(read(r#"{"has_errors":"no"}"#).unwrap_err().reason(), "bad_field");
        assert_eq!(read("").unwrap_err().reason(), "empty");
    }

    #[test]
    fn debug_shows_no_secret() {
        let reply = CallReply::failure([RemoteError::new("E", "hush")]);
        assert!(!format!("{reply:?} {:?}", reply.errors()).contains("hush"));
    }
}
