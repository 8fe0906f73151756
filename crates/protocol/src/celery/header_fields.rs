//! Fields of a message's headers, checked and converted.

use std::time::{Duration, SystemTime};

use super::body_fields::{NOT_A_TIME, bad, count, moment};
use crate::{DecodeError, HeaderValue, Headers};

type Result<T> = std::result::Result<T, DecodeError>;

pub(super) fn header_text(headers: &Headers, name: &'static str) -> Result<Option<String>> {
    match headers.get(name) {
        None | Some(HeaderValue::Null) => Ok(None),
        Some(HeaderValue::Text(text)) => Ok(Some(text.clone())),
        Some(_) => Err(bad(name, "is not a string")),
    }
}

/// As for the body: an invalid value is ignored.
pub(super) fn header_trace_id(headers: &Headers, name: &str) -> Option<String> {
    headers.get(name).and_then(HeaderValue::as_str).map(str::to_owned)
}

/// As for the body: an invalid value is ignored.
pub(super) fn header_origin(headers: &Headers) -> Option<String> {
    header_trace_id(headers, "origin").filter(|origin| !origin.is_empty())
}

pub(super) fn header_count(headers: &Headers) -> Result<u32> {
    count(match headers.get("retries") {
        None | Some(HeaderValue::Null) => Some(0),
        Some(HeaderValue::Int(number)) => u64::try_from(*number).ok(),
        Some(HeaderValue::Text(text)) => text.trim().parse().ok(),
        Some(_) => None,
    })
}

pub(super) fn header_time(headers: &Headers, name: &'static str) -> Result<Option<SystemTime>> {
    match headers.get(name) {
        None | Some(HeaderValue::Null) => Ok(None),
        Some(HeaderValue::Text(text)) => moment(text, name).map(Some),
        Some(HeaderValue::Timestamp(seconds)) => {
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(*seconds)).map(Some).ok_or(bad(name, NOT_A_TIME))
        }
        Some(_) => Err(bad(name, NOT_A_TIME)),
    }
}
