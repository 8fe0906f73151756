//! What a stand-in's answers are called, and their form in the reply store. Who is answered what is in `answers`.

use serde_json::{Value, json};
use zc_events_protocol::{CallReply, EncodeError, RemoteError, Reply};

use crate::expectation::Answer;
use crate::received_request::What;
use zc_events::{Error, Result};

/// What an answer is called, and its form in the reply store; `None` where there is to be none.
pub(crate) fn encode(what: &What, answer: Answer) -> Option<(String, Result<Vec<u8>>)> {
    let is_call = matches!(what, What::Call { .. });
    let (status, body) = match answer {
        Answer::Nothing => return None,
        Answer::Bytes(bytes) => return Some((format!("answered with {} bytes", bytes.len()), Ok(bytes))),
        Answer::Result(result) if is_call => return Some(encode_call(CallReply::success(&result))),
        Answer::Errors(errors) if is_call => return Some(encode_call(Ok(CallReply::failure(errors)))),
        Answer::Status { status, body } if is_call => {
            return Some(encode_call(Ok(of_status(status, body.unwrap_or_default()))));
        }
        Answer::Status { status, body } => (status, body),
        Answer::Result(result) => (200, Some(result)),
        Answer::Errors(errors) => (500, Some(document(&errors))),
    };
    let reply = body.map_or_else(|| Ok(Reply::empty(status)), |body| Reply::new(status, &body));
    let encoded = reply.and_then(|reply| reply.encode()).map_err(Error::from);
    Some((format!("answered with status {status}"), encoded))
}

fn encode_call(reply: Result<CallReply, EncodeError>) -> (String, Result<Vec<u8>>) {
    let what = if reply.as_ref().is_ok_and(CallReply::is_error) { "a failure" } else { "a result" };
    (format!("answered with {what}"), reply.and_then(|reply| reply.encode()).map_err(Error::from))
}

/// As Python's views answer calls: the body of a failure is its errors.
fn of_status(status: u16, body: Value) -> CallReply {
    if status >= 400 {
        CallReply { data: Value::Null, has_errors: true, errors: body }
    } else {
        CallReply { data: body, has_errors: false, errors: json!([]) }
    }
}

fn document(errors: &[RemoteError]) -> Value {
    let error = |it: &RemoteError| json!({"status": "500", "code": it.kind, "detail": it.message});
    json!({"errors": errors.iter().map(error).collect::<Vec<_>>()})
}
