//! The errors in a document: those of JSON:API, and those of Django REST framework without it. The errors of reading a
//! document are in `error`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::members;

/// One error of a document. The other service wrote its members, which may contain secrets: `Debug` shows only status
/// and code.
#[derive(Clone, Default, PartialEq, Serialize)]
pub struct ErrorObject {
    /// The HTTP status, such as `"404"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// A name for the kind of error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The kind of error, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// This occurrence of the error, for people. A value that is not a string on the wire is JSON here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The part of the request that caused it, such as `{"pointer": "/data/attributes/name"}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Value>,
    /// Further members.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
}

impl ErrorObject {
    /// An error with an HTTP status and a sentence for people.
    #[must_use]
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        ErrorObject { status: Some(status.to_string()), detail: Some(detail.into()), ..ErrorObject::default() }
    }

    /// An error of one attribute of the body, with status 400, as djangorestframework-jsonapi writes it.
    ///
    /// ```
    /// use serde_json::json;
    /// use zc_events_protocol::resource::ErrorObject;
    /// let error = ErrorObject::invalid("name", "This field is required.").code("required");
    /// assert_eq!(
    ///     serde_json::to_value(error)?,
    ///     json!({
    ///         "status": "400",
    ///         "code": "required",
    ///         "detail": "This field is required.",
    ///         "source": {"pointer": "/data/attributes/name"}
    ///     })
    /// );
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn invalid(attribute: &str, detail: impl Into<String>) -> Self {
        Self::new(400, detail).code("invalid").pointer(format!("/data/attributes/{}", pointer_segment(attribute)))
    }

    /// Sets the name for the kind of error.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Sets the part of the body that caused it: a JSON pointer, such as `/data/relationships/company`.
    #[must_use]
    pub fn pointer(self, pointer: impl Into<String>) -> Self {
        self.caused_by("pointer", pointer.into())
    }

    /// Sets the query parameter that caused it, such as `page_size`.
    #[must_use]
    pub fn parameter(self, parameter: impl Into<String>) -> Self {
        self.caused_by("parameter", parameter.into())
    }

    fn caused_by(mut self, kind: &str, source: String) -> Self {
        self.source = Some(Value::Object(Map::from_iter([(kind.to_owned(), source.into())])));
        self
    }

    /// The status as a number, if it is one.
    #[must_use]
    pub fn status_code(&self) -> Option<u16> {
        self.status.as_deref()?.parse().ok()
    }

    /// Never fails: an error must not be lost because of its form.
    pub(super) fn from_value(value: Value) -> Self {
        match value {
            Value::Object(mut from) => ErrorObject {
                status: text(from.remove("status")),
                code: text(from.remove("code")),
                title: text(from.remove("title")),
                detail: text(from.remove("detail")),
                source: from.remove("source").filter(|source| !source.is_null()),
                meta: members::side_map(&mut from, "meta"),
            },
            other => ErrorObject { detail: text(Some(other)), ..ErrorObject::default() },
        }
    }
}

/// A name as part of a JSON pointer.
pub(super) fn pointer_segment(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn text(value: Option<Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

impl<'de> Deserialize<'de> for ErrorObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(ErrorObject::from_value)
    }
}

impl fmt::Debug for ErrorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorObject").field("status", &self.status).field("code", &self.code).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_other_than_strings_are_kept_as_json() {
        let error = ErrorObject::from_value(json!({
            "status": 400, "code": null, "detail": {"name": ["This field is required."]}, "source": null, "meta": 5
        }));
        assert_eq!(error.status.as_deref(), Some("400"));
        assert_eq!(error.status_code(), Some(400));
        assert_eq!(error.code, None);
        assert_eq!(error.detail.as_deref(), Some(r#"{"name":["This field is required."]}"#));
        assert_eq!(error.source, None);
        assert!(error.meta.is_empty());
        assert_eq!(ErrorObject::from_value(json!("gone")).detail.as_deref(), Some("gone"));
        assert_eq!(ErrorObject::from_value(Value::Null), ErrorObject::default());
    }

    #[test]
    fn a_status_that_is_no_number_has_no_code() {
        let error = ErrorObject { status: Some("teapot".into()), ..ErrorObject::default() };
        assert_eq!(error.status_code(), None);
    }

    #[test]
    fn a_name_cannot_leave_its_place_in_a_pointer() {
        let error = ErrorObject::invalid("a/b~c", "no");
        assert_eq!(error.source, Some(json!({"pointer": "/data/attributes/a~1b~0c"})));
        let error = error.parameter("page_size");
        assert_eq!(error.source, Some(json!({"parameter": "page_size"})));
    }

    #[test]
    fn debug_shows_no_detail() {
        assert!(!format!("{:?}", ErrorObject::new(500, "password=hunter2")).contains("hunter2"));
    }
}
