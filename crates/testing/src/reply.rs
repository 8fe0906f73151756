//! The reply of an expectation, and its form in the reply store.

use serde_json::{Value, json};
use zc_events::{Error, Result};
use zc_events_protocol::{CallReply, EncodeError, RemoteError, Reply};

use crate::received_request::RequestTarget;

/// The reply that an expectation gives.
#[derive(Clone, PartialEq)]
pub(crate) enum ExpectedReply {
    /// A status and a body. For a call, a status of 400 or above is a failure.
    Status { status: u16, body: Option<Value> },
    /// The result of a function.
    Result(Value),
    /// The failure of a function.
    Errors(Vec<RemoteError>),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// No reply.
    Silence,
}

impl ExpectedReply {
    /// The failure that an expectation with an error rate gives in place of its reply.
    pub(crate) fn random_failure(target: &RequestTarget) -> Self {
        const DETAIL: &str = "a random failure, as `error_rate` asks for";
        if target.is_call() {
            return Self::Errors(vec![RemoteError::new("RandomFailure", DETAIL)]);
        }
        Self::Status { status: 500, body: Some(json!({"errors": [{"status": "500", "detail": DETAIL}]})) }
    }

    /// The reply to a request that no expectation matches.
    pub(crate) fn unexpected(target: &RequestTarget, detail: String) -> Self {
        if target.is_call() {
            return Self::Errors(vec![RemoteError::new("UnexpectedCall", detail)]);
        }
        let error = json!({"errors": [{"status": "501", "title": "Unexpected request", "detail": detail}]});
        Self::Status { status: 501, body: Some(error) }
    }

    /// A description of the reply, and the bytes for the reply store; `None` for [`ExpectedReply::Silence`].
    pub(crate) fn encode(self, target: &RequestTarget) -> Option<(String, Result<Vec<u8>>)> {
        let is_call = target.is_call();
        let (status, body) = match self {
            Self::Silence => return None,
            Self::Bytes(bytes) => return Some((format!("answered with {} bytes", bytes.len()), Ok(bytes))),
            Self::Result(result) if is_call => return Some(encode_call(CallReply::success(&result))),
            Self::Errors(errors) if is_call => return Some(encode_call(Ok(CallReply::failure(errors)))),
            Self::Status { status, body } if is_call => {
                return Some(encode_call(Ok(call_reply(status, body.unwrap_or_default()))));
            }
            Self::Status { status, body } => (status, body),
            Self::Result(result) => (200, Some(result)),
            Self::Errors(errors) => (500, Some(error_document(&errors))),
        };
        let reply = body.map_or_else(|| Ok(Reply::empty(status)), |body| Reply::new(status, &body));
        let encoded = reply.and_then(|reply| reply.encode()).map_err(Error::from);
        Some((format!("answered with status {status}"), encoded))
    }
}

fn encode_call(reply: Result<CallReply, EncodeError>) -> (String, Result<Vec<u8>>) {
    let kind = if reply.as_ref().is_ok_and(CallReply::is_error) { "a failure" } else { "a result" };
    (format!("answered with {kind}"), reply.and_then(|reply| reply.encode()).map_err(Error::from))
}

/// Python's views answer calls like this: the body of a failure is its errors.
fn call_reply(status: u16, body: Value) -> CallReply {
    if status >= 400 {
        CallReply { data: Value::Null, has_errors: true, errors: body }
    } else {
        CallReply { data: body, has_errors: false, errors: json!([]) }
    }
}

fn error_document(errors: &[RemoteError]) -> Value {
    let error = |it: &RemoteError| json!({"status": "500", "code": it.kind, "detail": it.message});
    json!({"errors": errors.iter().map(error).collect::<Vec<_>>()})
}
