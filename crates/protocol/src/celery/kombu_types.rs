//! The objects in which Celery 5 wraps Python values, `{"__type__": .., "__value__": ..}` (`kombu.utils.json`), and the
//! plain JSON values in their place.

use serde_json::Value;

use crate::decode_error::excerpt;
use crate::{DecodeError, timestamp};

const TYPE: &str = "__type__";
const VALUE: &str = "__value__";

/// Unwraps every such object in `value`. As in kombu, it has exactly these two keys. The parser has bounded the depth
/// of `value`.
pub(crate) fn unwrap(value: &mut Value) -> Result<(), DecodeError> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(unwrap),
        Value::Object(map) => {
            map.values_mut().try_for_each(unwrap)?;
            if map.len() != 2 || !map.contains_key(VALUE) {
                return Ok(());
            }
            let Some(name) = map.get(TYPE) else { return Ok(()) };
            let name = name.as_str().unwrap_or("?").to_owned();
            let inner = map.remove(VALUE).unwrap_or_default();
            *value = plain(&name, inner).ok_or_else(|| DecodeError::KombuType { name: excerpt(&name) })?;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn plain(name: &str, inner: Value) -> Option<Value> {
    if name == "uuid" {
        let hex = inner.as_object()?.get("hex")?.as_str()?;
        return Some(Value::String(uuid::Uuid::parse_str(hex).ok()?.hyphenated().to_string()));
    }
    let Value::String(text) = inner else { return None };
    let fits = match name {
        "datetime" => timestamp::is_datetime(&text),
        "date" => timestamp::is_datetime(&text) || timestamp::is_date(&text),
        "time" => timestamp::is_time(&text),
        "decimal" => is_decimal(&text),
        "bytes" => true,
        "base64" => is_base64(&text),
        _ => false,
    };
    fits.then_some(Value::String(text))
}

fn is_decimal(text: &str) -> bool {
    // Rust and Python's Decimal use the same words for NaN and infinity.
    text.trim().parse::<f64>().is_ok() || matches!(text, "sNaN" | "-sNaN")
}

fn is_base64(text: &str) -> bool {
    let data = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - data.len() <= 2
        && data.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn unwrapped(name: &str, value: Value) -> Result<Value, DecodeError> {
        let mut value = json!([{TYPE: name, VALUE: value}]);
        unwrap(&mut value).map(|()| value[0].take())
    }

    #[test]
    fn known_types_become_plain_values() {
        for (name, value, plain) in [
            ("datetime", json!("2020-01-02T03:04:05.678000"), "2020-01-02T03:04:05.678000"),
            ("datetime", json!("2020-01-02T03:04:05+02:00"), "2020-01-02T03:04:05+02:00"),
            ("date", json!("2020-01-02"), "2020-01-02"),
            ("date", json!("2020-01-02T00:00:00"), "2020-01-02T00:00:00"),
            ("time", json!("03:04:05"), "03:04:05"),
            ("decimal", json!("1.20"), "1.20"),
            ("uuid", json!({"hex": "00000000000000000000000000000001"}), "00000000-0000-0000-0000-000000000001"),
            ("bytes", json!("café"), "café"),
            ("base64", json!("//4="), "//4="),
        ] {
            assert_eq!(unwrapped(name, value), Ok(json!(plain)), "{name}");
        }
    }

    #[test]
    fn values_that_python_refuses_are_refused() {
        for (name, value) in [
            ("zzz", json!(1)),
            ("datetime", json!("nope")),
            ("datetime", json!("2020-13-02T03:04:05")),
            ("date", json!(5)),
            ("time", json!("25:00:00")),
            ("decimal", json!("one")),
            ("uuid", json!("00000000000000000000000000000001")),
            ("uuid", json!({"hex": "1"})),
            ("base64", json!("/")),
        ] {
            assert_eq!(unwrapped(name, value), Err(DecodeError::KombuType { name: name.to_owned() }), "{name}");
        }
    }

    #[test]
    fn an_object_with_more_keys_stays_as_it_is() {
        let mut value = json!({TYPE: "zzz", VALUE: 1, "more": 2});
        unwrap(&mut value).unwrap();
        assert_eq!(value, json!({TYPE: "zzz", VALUE: 1, "more": 2}));
        let mut value = json!({TYPE: "zzz", "x": 1});
        unwrap(&mut value).unwrap();
        assert_eq!(value, json!({TYPE: "zzz", "x": 1}));
    }
}
