//! A call of a function of another service, by its key. It travels as an event whose second
//! argument is the call; the answer comes back in the reply store.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::celery::{Args, Envelope, Kwargs};
use crate::names::EVENT_TASK;
use crate::{EncodeError, EncodeOptions, Encoded, Method, Protocol, payload};

/// A call, with a fresh id and response key.
///
/// ```
/// use zc_events_protocol::{Call, Method};
/// # fn main() -> Result<(), zc_events_protocol::EncodeError> {
/// let call = Call::new("add", Method::Get).data(serde_json::json!({"x": 1, "y": 2}))?;
/// assert_eq!(call.get_priority(), 9);
/// assert_eq!(call.no_wait().get_priority(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Call {
    id: String,
    key: String,
    method: Method,
    data: Value,
    headers: Value,
    response_key: Option<String>,
    priority: Option<u8>,
}

impl Call {
    /// A call with empty data and headers that waits for an answer.
    #[must_use]
    pub fn new(key: impl Into<String>, method: Method) -> Self {
        Self {
            id: Uuid::new_v4().to_string(),
            key: key.into(),
            method,
            data: json!({}),
            headers: json!({}),
            response_key: Some(Uuid::new_v4().to_string()),
            priority: None,
        }
    }

    /// The same call once more, with ids of its own.
    #[must_use]
    pub fn renewed(self) -> Self {
        let Self { id, response_key, .. } = Self::new("", self.method);
        Self { id, response_key: self.response_key.and(response_key), ..self }
    }

    /// Takes another id.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Takes another response key.
    #[must_use]
    pub fn with_response_key(mut self, response_key: impl Into<String>) -> Self {
        self.response_key = Some(response_key.into());
        self
    }

    /// Asks for no answer.
    #[must_use]
    pub fn no_wait(mut self) -> Self {
        self.response_key = None;
        self
    }

    /// What the function gets.
    ///
    /// # Errors
    /// As for [`Event::arg`](crate::Event::arg).
    pub fn data<T: Serialize>(mut self, data: T) -> Result<Self, EncodeError> {
        self.data = payload::to_value("data", &data)?;
        Ok(self)
    }

    /// What the function gets beside the data: `pk`, `roles`, `user_id`, `query_string` where it is a view.
    ///
    /// # Errors
    /// As for [`Event::arg`](crate::Event::arg).
    pub fn headers<T: Serialize>(mut self, headers: T) -> Result<Self, EncodeError> {
        self.headers = payload::to_value("headers", &headers)?;
        Ok(self)
    }

    /// How urgent it is, 0 to 10, in place of 9 for a call that waits and 0 for one that does not.
    #[must_use]
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// The id of the message.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key of the function.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The key under which the answer is awaited; `None` where none is.
    #[must_use]
    pub fn response_key(&self) -> Option<&str> {
        self.response_key.as_deref()
    }

    /// The priority it is sent with.
    #[must_use]
    pub fn get_priority(&self) -> u8 {
        self.priority.unwrap_or(if self.response_key.is_some() { 9 } else { 0 })
    }

    /// Puts it on the wire, in protocol 2 unless told otherwise.
    ///
    /// # Errors
    /// As for [`Event::encode`](crate::Event::encode).
    pub fn encode(&self, options: &EncodeOptions) -> Result<Encoded, EncodeError> {
        let mut call = Map::new();
        call.insert("data".to_owned(), self.data.clone());
        call.insert("id".to_owned(), self.id.clone().into());
        call.insert("headers".to_owned(), self.headers.clone());
        call.insert("response_key".to_owned(), self.response_key.clone().into());
        call.insert(
            "_backend".to_owned(),
            json!({"type": "rabbitmqfanout", "method": self.method.as_str(), "key": self.key}),
        );
        Envelope {
            task: EVENT_TASK,
            id: &self.id,
            args: Args { first: &self.key, rest: &[Value::Object(call)] },
            kwargs: Kwargs::default(),
            call: Some(self.response_key.as_deref()),
            priority: Some(self.get_priority()),
            usual: Protocol::V2,
        }
        .encode(options)
    }
}

impl fmt::Debug for Call {
    /// Without data and headers, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("key", &self.key)
            .field("id", &self.id)
            .field("response_key", &self.response_key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_data() {
        let call = Call::new("add", Method::Post).data("hush").unwrap().headers("hush").unwrap();
        assert!(!format!("{call:?}").contains("hush"));
    }

    #[test]
    fn data_nests_as_deep_as_an_events_arguments() {
        let nested = |levels| (0..levels).fold(json!(1), |value, _| json!([value]));
        let call = Call::new("add", Method::Post).data(nested(100)).unwrap().headers(nested(100)).unwrap();
        for protocol in [Protocol::V1, Protocol::V2] {
            assert!(call.encode(&EncodeOptions { protocol: Some(protocol), ..EncodeOptions::default() }).is_ok());
        }
        let refused = Call::new("add", Method::Post).data(nested(101));
        assert!(matches!(refused, Err(EncodeError::TooDeep { what, .. }) if what == "data"));
    }

    #[test]
    fn a_call_needs_a_key() {
        let refused = Call::new("", Method::Get).encode(&EncodeOptions::default());
        assert!(matches!(refused, Err(EncodeError::BadName { .. })));
    }
}
