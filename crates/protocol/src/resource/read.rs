//! Taking the members of a JSON:API object out of JSON by moving them, so that the depth of what an attribute
//! holds does not matter. What a member means is known by the types that are read.

use std::fmt;

use serde_json::{Map, Value};

use super::error::ResourceError;

/// What a name or an id from the wire may take up in an error.
const CLIP: usize = 80;

/// The kind of a JSON value, for errors.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Text from the wire as an error may show it: short, and without control characters.
pub(super) fn clip(text: &str) -> String {
    let mut clipped: String =
        text.chars().take(CLIP).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if text.chars().nth(CLIP).is_some() {
        clipped.push('…');
    }
    clipped
}

/// `outer` and then `inner`, as in `data[3].id`.
pub(super) fn join_place(outer: &str, inner: &str) -> String {
    if inner.is_empty() || inner.starts_with('[') { format!("{outer}{inner}") } else { format!("{outer}.{inner}") }
}

pub(super) fn object(value: Value) -> Result<Map<String, Value>, ResourceError> {
    match value {
        Value::Object(map) => Ok(map),
        other => Err(ResourceError::malformed("an object", &other)),
    }
}

/// A member that must be an object where it is there; none and null are an empty one.
pub(super) fn map(from: &mut Map<String, Value>, name: &str) -> Result<Map<String, Value>, ResourceError> {
    match from.remove(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(value) => object(value).map_err(|e| e.inside(name)),
    }
}

/// `links` and `meta`: no part of the resource itself, so that anything but an object is passed over.
pub(super) fn side_map(from: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match from.remove(name) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// An `id`: text, or a number, which becomes text.
pub(super) fn id(from: &mut Map<String, Value>) -> Result<Option<String>, ResourceError> {
    match from.remove("id") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(other) => Err(ResourceError::malformed("text or a number", &other).inside("id")),
    }
}

/// A `type`; empty where there is none (some services leave it out).
pub(super) fn type_(from: &mut Map<String, Value>) -> Result<String, ResourceError> {
    match from.remove("type") {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(ResourceError::malformed("text", &other).inside("type")),
    }
}

/// Every element of a list, with its index in the error of one that cannot be read.
pub(super) fn list<T>(
    values: Vec<Value>,
    read: impl Fn(Value) -> Result<T, ResourceError>,
) -> Result<Vec<T>, ResourceError> {
    values
        .into_iter()
        .enumerate()
        .map(|(index, value)| read(value).map_err(|e| e.inside(&format!("[{index}]"))))
        .collect()
}

/// The address of a link, which is text or an object with `href`.
pub(super) fn href<'a>(links: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    match links.get(name)? {
        Value::String(href) => Some(href),
        Value::Object(link) => link.get("href")?.as_str(),
        _ => None,
    }
}

/// The names of a map, for `Debug`: values may be secrets.
pub(super) struct Names<'a>(pub(super) &'a Map<String, Value>);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_from_the_wire_is_clipped_for_errors() {
        assert_eq!(clip("Order"), "Order");
        assert_eq!(clip("a\nb\u{1b}c"), "a\u{fffd}b\u{fffd}c");
        assert_eq!(clip(&"é".repeat(CLIP)), "é".repeat(CLIP));
        assert_eq!(clip(&"é".repeat(10_000)), format!("{}…", "é".repeat(CLIP)));
    }

    #[test]
    fn a_link_is_text_or_an_object() {
        let links = json!({"a": "/a", "b": {"href": "/b"}, "c": null, "d": {"meta": {}}, "e": 5, "f": {"href": null}});
        let links = object(links).unwrap();
        assert_eq!(href(&links, "a"), Some("/a"));
        assert_eq!(href(&links, "b"), Some("/b"));
        for name in ["c", "d", "e", "f", "g"] {
            assert_eq!(href(&links, name), None, "{name}");
        }
    }
}
