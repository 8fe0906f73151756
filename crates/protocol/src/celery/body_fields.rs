//! Fields of a message's body, checked and converted.

use std::time::SystemTime;

use serde_json::{Map, Value};

use crate::{DecodeError, timestamp};

type Result<T> = std::result::Result<T, DecodeError>;

pub(super) const NOT_A_TIME: &str = "is not a date and time";

pub(super) fn args(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(args) => Ok(args),
        _ => Err(bad("args", "is not a list")),
    }
}

pub(super) fn kwargs(value: Value) -> Result<Map<String, Value>> {
    match value {
        Value::Object(kwargs) => Ok(kwargs),
        _ => Err(bad("kwargs", "is not an object")),
    }
}

/// A number of retries.
pub(super) fn count(retries: Option<u64>) -> Result<u32> {
    retries.and_then(|count| u32::try_from(count).ok()).ok_or(bad("retries", "is not a non-negative number"))
}

/// An id that only tracing uses. An invalid value is ignored: no message is refused because of it.
pub(super) fn trace_id(body: &mut Map<String, Value>, name: &str) -> Option<String> {
    match body.remove(name) {
        Some(Value::String(id)) => Some(id),
        _ => None,
    }
}

pub(super) fn body_text(body: &mut Map<String, Value>, name: &'static str) -> Result<Option<String>> {
    match body.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(bad(name, "is not a string")),
    }
}

pub(super) fn body_time(value: Option<Value>, name: &'static str) -> Result<Option<SystemTime>> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => moment(&text, name).map(Some),
        Some(_) => Err(bad(name, NOT_A_TIME)),
    }
}

pub(super) fn moment(text: &str, name: &'static str) -> Result<SystemTime> {
    timestamp::parse(text).ok_or(bad(name, NOT_A_TIME))
}

pub(super) fn bad(name: &'static str, why: &'static str) -> DecodeError {
    DecodeError::BadField { name, why }
}
