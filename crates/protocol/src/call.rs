//! A call of a function of another service, by the function's key. It is sent as an event whose second argument is the
//! call. The answer comes back in the reply store.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::celery::{self, Args, Envelope, Kwargs};
use crate::names::EVENT_TASK;
use crate::{EncodeError, EncodeOptions, Encoded, Method, Protocol, json};

/// A call, with a fresh id and response key.
///
/// ```
/// use zc_events_protocol::{Call, Method};
/// # fn main() -> Result<(), zc_events_protocol::EncodeError> {
/// let call = Call::new("add", Method::Get).data(serde_json::json!({"x": 1, "y": 2}))?;
/// assert_eq!(call.effective_priority(), 9);
/// assert_eq!(call.no_wait().effective_priority(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a call does nothing until it is encoded and sent"]
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
    pub fn new(key: impl Into<String>, method: Method) -> Self {
        Self {
            id: Uuid::new_v4().to_string(),
            key: key.into(),
            method,
            data: Value::Object(Map::new()),
            headers: Value::Object(Map::new()),
            response_key: Some(Uuid::new_v4().to_string()),
            priority: None,
        }
    }

    /// The same call with a new id and a new response key.
    pub fn renewed(self) -> Self {
        let Self { id, response_key, .. } = Self::new("", self.method);
        Self { id, response_key: self.response_key.and(response_key), ..self }
    }

    /// Replaces the id.
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Replaces the response key.
    pub fn with_response_key(mut self, response_key: impl Into<String>) -> Self {
        self.response_key = Some(response_key.into());
        self
    }

    /// Waits for no answer.
    pub fn no_wait(mut self) -> Self {
        self.response_key = None;
        self
    }

    /// Sets the data for the function.
    ///
    /// # Errors
    /// As for [`Event::arg`](crate::Event::arg).
    pub fn data<T: Serialize>(mut self, data: T) -> Result<Self, EncodeError> {
        self.data = json::to_value("data", &data)?;
        Ok(self)
    }

    /// Sets the headers for the function. A view reads `pk`, `roles`, `user_id` and `query_string` from them.
    ///
    /// # Errors
    /// As for [`Event::arg`](crate::Event::arg).
    pub fn headers<T: Serialize>(mut self, headers: T) -> Result<Self, EncodeError> {
        self.headers = json::to_value("headers", &headers)?;
        Ok(self)
    }

    /// Sets the priority, 0 to 10. The default is 9 for a call that waits and 0 for one that does not.
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

    /// The key of the answer in the reply store; `None` if the call waits for no answer.
    #[must_use]
    pub fn response_key(&self) -> Option<&str> {
        self.response_key.as_deref()
    }

    /// The priority that is sent.
    #[must_use]
    pub fn effective_priority(&self) -> u8 {
        self.priority.unwrap_or(if self.response_key.is_some() { 9 } else { 0 })
    }

    /// Encodes the call, in protocol 2 unless the options name another.
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
            serde_json::json!({"type": "rabbitmqfanout", "method": self.method.as_str(), "key": self.key}),
        );
        let envelope = Envelope {
            task: EVENT_TASK,
            id: &self.id,
            args: Args { first: &self.key, rest: &[Value::Object(call)] },
            kwargs: Kwargs::default(),
            call: Some(self.response_key.as_deref()),
            priority: Some(self.effective_priority()),
            default_protocol: Protocol::V2,
        };
        celery::encode(&envelope, options)
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
    use serde_json::json;

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
