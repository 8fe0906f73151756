//! Decoding of protocol 1: everything is in the body.

use serde_json::{Map, Value};

use super::body_fields::{args, bad, body_text, body_time, count, kwargs, trace_id};
use super::protocol::Protocol;
use crate::{DecodeError, Task};

/// Reads a message of protocol 1.
pub(super) fn decode(mut body: Map<String, Value>) -> Result<Task, DecodeError> {
    let task = match body.remove("task") {
        Some(Value::String(task)) => task,
        _ => return Err(bad("task", "is not a string")),
    };
    let retries = match body.remove("retries") {
        None | Some(Value::Null) => Some(0),
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    Ok(Task {
        protocol: Protocol::V1,
        task,
        id: body_text(&mut body, "id")?,
        root_id: trace_id(&mut body, "root_id"),
        parent_id: trace_id(&mut body, "parent_id"),
        args: body.remove("args").map_or(Ok(Vec::new()), args)?,
        kwargs: body.remove("kwargs").map_or(Ok(Map::new()), kwargs)?,
        retries: count(retries)?,
        eta: body_time(body.remove("eta"), "eta")?,
        expires: body_time(body.remove("expires"), "expires")?,
        response_key: body_text(&mut body, "response_key")?,
        priority: None,
        origin: None,
    })
}
