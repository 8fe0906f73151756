//! Moves the members of a JSON:API object out of JSON. Values are moved and not copied, so that the depth of an
//! attribute does not matter.

use std::fmt;

use serde_json::{Map, Value};

use super::error::ResourceError;

pub(super) fn object(value: Value) -> Result<Map<String, Value>, ResourceError> {
    match value {
        Value::Object(map) => Ok(map),
        other => Err(ResourceError::malformed("an object", &other)),
    }
}

/// A member that must be an object if it is there. A missing member and null are an empty object.
pub(super) fn map(from: &mut Map<String, Value>, name: &str) -> Result<Map<String, Value>, ResourceError> {
    match from.remove(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(value) => object(value).map_err(|e| e.inside(name)),
    }
}

/// `links` or `meta`. They are not part of the resource itself, so that any value but an object is ignored.
pub(super) fn side_map(from: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match from.remove(name) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// An `id`: a string, or a number, which becomes a string.
pub(super) fn id(from: &mut Map<String, Value>) -> Result<Option<String>, ResourceError> {
    match from.remove("id") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(other) => Err(ResourceError::malformed("a string or a number", &other).inside("id")),
    }
}

/// A `type`; empty if it is missing (some services leave it out).
pub(super) fn type_(from: &mut Map<String, Value>) -> Result<String, ResourceError> {
    match from.remove("type") {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(ResourceError::malformed("a string", &other).inside("type")),
    }
}

/// Reads every element of a list. An error has the index of the element.
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

/// The address of a link, which is a string or an object with `href`.
pub(super) fn href<'a>(links: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    match links.get(name)? {
        Value::String(href) => Some(href),
        Value::Object(link) => link.get("href")?.as_str(),
        _ => None,
    }
}

/// The names of a map, for `Debug`: the values may be secrets.
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
    fn a_link_is_a_string_or_an_object() {
        let links = json!({"a": "/a", "b": {"href": "/b"}, "c": null, "d": {"meta": {}}, "e": 5, "f": {"href": null}});
        let links = object(links).unwrap();
        assert_eq!(href(&links, "a"), Some("/a"));
        assert_eq!(href(&links, "b"), Some("/b"));
        for name in ["c", "d", "e", "f", "g"] {
            assert_eq!(href(&links, name), None, "{name}");
        }
    }
}
