//! How an existing queue or exchange differs from a declaration, as values.

use zc_events_protocol::{HeaderValue, Headers};

use crate::Difference;

pub(super) fn difference(what: &str, wanted: &str, found: &str) -> Difference {
    Difference { what: what.to_owned(), wanted: wanted.to_owned(), found: found.to_owned() }
}

/// The value of an argument, as text.
pub(super) fn shown(arguments: &Headers, key: &str) -> String {
    match arguments.get(key) {
        None | Some(HeaderValue::Null) => "none".to_owned(),
        Some(HeaderValue::Text(text)) => text.clone(),
        Some(HeaderValue::Int(number)) => number.to_string(),
        Some(HeaderValue::Bool(flag)) => flag.to_string(),
        Some(other) => format!("{other:?}"),
    }
}
