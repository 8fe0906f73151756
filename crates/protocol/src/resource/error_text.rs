//! Parts of error texts: kinds of JSON, clipped names, paths.

use serde_json::Value;

/// The limit of a name or an id from the wire in an error, in characters.
const CLIP: usize = 80;

/// The kind of a JSON value, for errors.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Text from the wire as an error may show it: short and without control characters.
pub(super) fn clip(text: &str) -> String {
    let mut clipped: String =
        text.chars().take(CLIP).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if text.chars().nth(CLIP).is_some() {
        clipped.push('…');
    }
    clipped
}

/// Joins two parts of a path, as in `data[3].id`.
pub(super) fn join_path(outer: &str, inner: &str) -> String {
    if inner.is_empty() || inner.starts_with('[') { format!("{outer}{inner}") } else { format!("{outer}.{inner}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_the_wire_is_clipped_for_errors() {
        assert_eq!(clip("Order"), "Order");
        assert_eq!(clip("a\nb\u{1b}c"), "a\u{fffd}b\u{fffd}c");
        assert_eq!(clip(&"é".repeat(CLIP)), "é".repeat(CLIP));
        assert_eq!(clip(&"é".repeat(10_000)), format!("{}…", "é".repeat(CLIP)));
    }
}
