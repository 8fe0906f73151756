//! The headers `argsrepr` and `kwargsrepr`: Python's `repr` of the arguments, for people who read a worker's log. They
//! repeat the payload, and all headers must fit into one frame. The texts are therefore cut at a limit.

use std::fmt::Write;

use serde_json::{Map, Number, Value};

/// The limit in bytes, dots included. Celery's `saferepr` cuts at a similar length.
pub(super) const MAX: usize = 1024;

const DOTS: &str = "...";

/// The `repr` of the positional arguments.
pub(super) fn args(first: &str, rest: &[Value]) -> String {
    let mut out = Capped::default();
    out.push("[");
    out.string(first);
    for value in rest {
        out.push(", ");
        out.value(value);
    }
    out.push("]");
    out.finish()
}

/// The `repr` of the keyword arguments.
pub(super) fn kwargs(task_id: Option<&str>, rest: Option<&Map<String, Value>>) -> String {
    let mut out = Capped::default();
    out.push("{");
    if let Some(task_id) = task_id {
        out.push("'task_id': ");
        out.string(task_id);
    }
    for (i, (key, value)) in rest.into_iter().flatten().enumerate() {
        if i > 0 || task_id.is_some() {
            out.push(", ");
        }
        out.string(key);
        out.push(": ");
        out.value(value);
    }
    out.push("}");
    out.finish()
}

/// Text that stops growing at the limit.
#[derive(Default)]
struct Capped {
    text: String,
    full: bool,
}

impl Capped {
    fn push(&mut self, text: &str) {
        if self.full {
            return;
        }
        if self.text.len() + text.len() <= MAX {
            self.text.push_str(text);
            return;
        }
        let mut end = MAX - self.text.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.text.push_str(&text[..end]);
        self.full = true;
    }

    fn finish(mut self) -> String {
        if self.full {
            let mut end = MAX - DOTS.len();
            while !self.text.is_char_boundary(end) {
                end -= 1;
            }
            self.text.truncate(end);
            self.text.push_str(DOTS);
        }
        self.text
    }

    fn value(&mut self, value: &Value) {
        if self.full {
            return;
        }
        match value {
            Value::Null => self.push("None"),
            Value::Bool(true) => self.push("True"),
            Value::Bool(false) => self.push("False"),
            Value::Number(number) => self.push(&number_repr(number)),
            Value::String(text) => self.string(text),
            Value::Array(items) => {
                self.push("[");
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        self.push(", ");
                    }
                    self.value(item);
                    if self.full {
                        return;
                    }
                }
                self.push("]");
            }
            Value::Object(map) => {
                self.push("{");
                for (i, (key, item)) in map.iter().enumerate() {
                    if i > 0 {
                        self.push(", ");
                    }
                    self.string(key);
                    self.push(": ");
                    self.value(item);
                    if self.full {
                        return;
                    }
                }
                self.push("}");
            }
        }
    }

    /// Python uses double quotes only for a string that contains a `'` and no `"`.
    fn string(&mut self, text: &str) {
        let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
        let mut buffer = String::new();
        self.push(quote.encode_utf8(&mut [0; 4]));
        for c in text.chars() {
            if self.full {
                return;
            }
            buffer.clear();
            let escaped = match c {
                '\\' => write!(buffer, "\\\\"),
                '\n' => write!(buffer, "\\n"),
                '\r' => write!(buffer, "\\r"),
                '\t' => write!(buffer, "\\t"),
                c if c == quote => write!(buffer, "\\{c}"),
                c if c.is_control() || c == '\u{ad}' => write!(buffer, "\\x{:02x}", u32::from(c)),
                // White space other than a space, and characters that change the direction of text.
                c if c != ' ' && c.is_whitespace() && u32::from(c) < 0x100 => write!(buffer, "\\x{:02x}", u32::from(c)),
                c if c != ' '
                    && (c.is_whitespace()
                        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')) =>
                {
                    write!(buffer, "\\u{:04x}", u32::from(c))
                }
                c => write!(buffer, "{c}"),
            };
            // Writing to a string cannot fail.
            let _ = escaped;
            self.push(&buffer);
        }
        self.push(quote.encode_utf8(&mut [0; 4]));
    }
}

fn number_repr(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float_repr(float),
        _ => number.to_string(),
    }
}

/// The shortest digits that read back, plain from 1e-4 up to 1e16, as in Python.
fn float_repr(float: f64) -> String {
    let scientific = format!("{float:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) || float == 0.0 {
        let plain = float.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn it_reads_like_pythons() {
        // The output of Python 3.11.
        let value = json!([null, true, false, 1, -1, 1.5, 1.0, 1e16, 1e-7, 1.5e300, 123456789012345.6, 0.0001, "a", "it's", "\"it's\"", "a\nb\\\u{7}\u{a0}\u{200b}é", [], {}, {"k": [1]}]);
        assert_eq!(
            args("e", value.as_array().unwrap()),
            r#"['e', None, True, False, 1, -1, 1.5, 1.0, 1e+16, 1e-07, 1.5e+300, 123456789012345.6, 0.0001, 'a', "it's", '"it\'s"', 'a\nb\\\x07\xa0\u200bé', [], {}, {'k': [1]}]"#
        );
        assert_eq!(kwargs(Some("t"), json!({"a": 1}).as_object()), "{'task_id': 't', 'a': 1}");
        assert_eq!(kwargs(None, None), "{}");
    }

    #[test]
    fn a_large_payload_is_cut() {
        let large = json!({"blob": "x".repeat(140 * 1024)});
        let text = args("e", &[large]);
        assert_eq!(text.len(), MAX);
        assert!(text.starts_with("['e', {'blob': 'xxx") && text.ends_with("xxx..."));
    }

    proptest! {
        #[test]
        fn no_character_is_split(prefix in "[a-z]{0,8}", text in "[é中🍕a]{0,1200}") {
            let text = args(&prefix, &[json!(text)]);
            prop_assert!(text.len() <= MAX);
            prop_assert!(text.ends_with("']") || text.ends_with(DOTS) && text.len() > MAX - 4 - DOTS.len());
        }
    }
}
