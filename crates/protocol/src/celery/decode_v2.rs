//! Decoding of protocol 2: the arguments are in the body, the rest is in headers.

use serde_json::{Map, Value};

use super::body_fields::{args, bad, kwargs};
use super::decode_v1;
use super::header_fields::{header_count, header_origin, header_text, header_time, header_trace_id};
use super::protocol::Protocol;
use crate::{DecodeError, Headers, Task};

const NOT_THREE: &str = "is not a list of three elements";

/// Reads a message of protocol 2.
pub(super) fn decode(name: &str, headers: &Headers, body: Value) -> Result<Task, DecodeError> {
    let id = header_text(headers, "id")?.ok_or(DecodeError::MissingHeader { name: "id" })?;
    // A body of two or four elements kills a Celery worker.
    let parts: [Value; 3] = match body {
        Value::Array(parts) => parts.try_into().map_err(|_| bad("body", NOT_THREE))?,
        _ => return Err(bad("body", NOT_THREE)),
    };
    let [positional, keyword, _embed] = parts;
    Ok(Task {
        protocol: Protocol::V2,
        task: name.to_owned(),
        id: Some(id),
        root_id: header_trace_id(headers, "root_id"),
        parent_id: header_trace_id(headers, "parent_id"),
        args: args(positional)?,
        kwargs: kwargs(keyword)?,
        retries: header_count(headers)?,
        eta: header_time(headers, "eta")?,
        expires: header_time(headers, "expires")?,
        response_key: None,
        priority: None,
        origin: header_origin(headers),
    })
}

/// Reads a body of protocol 1 under the headers of protocol 2, as Celery does (`hybrid_to_proto2`). The arguments come
/// from the body. A field that the headers name comes from the headers, above all the task: all receivers must run the
/// same one.
pub(super) fn decode_hybrid(name: &str, headers: &Headers, mut body: Map<String, Value>) -> Result<Task, DecodeError> {
    body.insert("task".to_owned(), name.into());
    for named in ["id", "root_id", "parent_id", "retries", "eta", "expires"] {
        if headers.contains_key(named) {
            body.remove(named);
        }
    }
    let envelope = decode_v1::decode(body)?;
    Ok(Task {
        id: header_text(headers, "id")?.or(envelope.id),
        root_id: header_trace_id(headers, "root_id").or(envelope.root_id),
        parent_id: header_trace_id(headers, "parent_id").or(envelope.parent_id),
        retries: if headers.contains_key("retries") { header_count(headers)? } else { envelope.retries },
        eta: header_time(headers, "eta")?.or(envelope.eta),
        expires: header_time(headers, "expires")?.or(envelope.expires),
        origin: header_origin(headers),
        ..envelope
    })
}
