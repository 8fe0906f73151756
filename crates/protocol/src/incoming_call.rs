//! A call by key, as its receiver reads it.

use std::fmt;

use serde_json::Value;

use crate::incoming_request::roles;
use crate::truthiness::is_falsy;
use crate::{IncomingRequest, Method};

/// A call by key, as its receiver reads it.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct IncomingCall {
    /// The key of the function.
    pub key: String,
    /// The data for the function.
    pub data: Value,
    /// The headers for the function.
    pub headers: Value,
    /// The id of the call.
    pub id: Option<String>,
    /// The key of the answer in the reply store; `None` if the caller waits for no answer.
    pub response_key: Option<String>,
    /// The method; `None` if it is missing or unknown.
    pub method: Option<Method>,
}

impl IncomingCall {
    /// Reads a call from the positional arguments of a message. `id` and `response_key` of the message are the
    /// defaults.
    pub(crate) fn read(args: &[Value], id: Option<&str>, response_key: Option<&str>) -> Option<Self> {
        let key = args.first()?.as_str()?.to_owned();
        let call = args.get(1)?.as_object()?;
        let backend = call.get("_backend")?.as_object()?;
        let text = |key: &str| call.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            key,
            data: call.get("data").cloned().unwrap_or_default(),
            headers: call.get("headers").cloned().unwrap_or_default(),
            id: text("id").or_else(|| id.map(str::to_owned)),
            response_key: text("response_key").or_else(|| response_key.map(str::to_owned)),
            method: backend.get("method").and_then(Value::as_str).and_then(|name| name.parse().ok()),
        })
    }

    /// The roles of the caller: the header `roles`.
    #[must_use]
    pub fn roles(&self) -> Vec<String> {
        roles(self.headers.get("roles"))
    }

    /// The call as a request for a view, as in Python. The data is the body. The headers give `pk`, `roles`, `user_id`,
    /// `query_string`, `related_resource`, `relationship` and `http_host`.
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

impl fmt::Debug for IncomingCall {
    /// Without fields that may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingCall")
            .field("key", &self.key)
            .field("method", &self.method)
            .field("id", &self.id)
            .field("response_key", &self.response_key)
            .finish_non_exhaustive()
    }
}
