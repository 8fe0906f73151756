//! Values of users as JSON. serde_json silently turns NaN into `null`. Here NaN is refused, and so is every value that
//! some Python of the fleet could not read.

use serde::Serialize;
use serde_json::Value;

use super::value_check::{MAX_DEPTH, ValueCheck};
use crate::EncodeError;

/// Converts a value to JSON that all services of the fleet can read. `what` names the value in the error.
///
/// ```
/// use zc_events_protocol::to_value;
/// assert_eq!(to_value("total", &12.5).unwrap(), 12.5);
/// assert!(to_value("total", &f64::NAN).is_err());
/// ```
///
/// # Errors
/// As for [`Event::arg`](crate::Event::arg).
pub fn to_value<T: Serialize + ?Sized>(what: &str, value: &T) -> Result<Value, EncodeError> {
    value.serialize(ValueCheck::new()).map_err(|refusal| refusal.into_error(what))?;
    serde_json::to_value(value)
        .map_err(|error| EncodeError::Serialize { what: what.to_owned(), why: error.to_string() })
}

/// Refuses a value that is nested too deep. For values that did not come through [`to_value`].
pub(crate) fn check_depth(what: &str, value: &Value) -> Result<(), EncodeError> {
    fn is_within(value: &Value, left: usize) -> bool {
        match value {
            Value::Array(items) => left > 0 && items.iter().all(|item| is_within(item, left - 1)),
            Value::Object(map) => left > 0 && map.values().all(|item| is_within(item, left - 1)),
            _ => true,
        }
    }
    if is_within(value, MAX_DEPTH) {
        Ok(())
    } else {
        Err(EncodeError::TooDeep { what: what.to_owned(), limit: MAX_DEPTH })
    }
}

/// Writes a value that can always be serialized.
pub(crate) fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, EncodeError> {
    serde_json::to_vec(value)
        .map_err(|error| EncodeError::Serialize { what: "body".to_owned(), why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::{BTreeMap, HashMap};

    #[derive(serde::Serialize)]
    enum Shape {
        Unit,
        Newtype(f64),
        Tuple(f32, u8),
        Struct { x: Option<f64> },
    }

    #[test]
    fn finite_values_pass_in_every_shape() {
        let all = (Shape::Unit, Shape::Newtype(1.5), Shape::Tuple(0.5, 2), Shape::Struct { x: Some(1.0) });
        assert_eq!(
            to_value("all", &all).unwrap(),
            json!(["Unit", {"Newtype": 1.5}, {"Tuple": [0.5, 2]}, {"Struct": {"x": 1.0}}])
        );
    }

    #[test]
    fn nan_is_refused_in_every_shape() {
        let nan = f64::NAN;
        assert!(matches!(to_value("x", &nan), Err(EncodeError::NotFinite { what }) if what == "x"));
        assert!(matches!(to_value("x", &f32::INFINITY), Err(EncodeError::NotFinite { .. })));
        assert!(matches!(to_value("x", &[nan]), Err(EncodeError::NotFinite { .. })));
        assert!(matches!(to_value("x", &(1, nan)), Err(EncodeError::NotFinite { .. })));
        assert!(matches!(to_value("x", &Some(nan)), Err(EncodeError::NotFinite { .. })));
        assert!(matches!(to_value("x", &HashMap::from([("k", nan)])), Err(EncodeError::NotFinite { .. })));
        for shape in [Shape::Newtype(nan), Shape::Tuple(f32::NAN, 0), Shape::Struct { x: Some(nan) }] {
            assert!(matches!(to_value("x", &shape), Err(EncodeError::NotFinite { .. })));
        }
    }

    #[test]
    fn values_that_json_cannot_express_are_refused() {
        assert!(matches!(to_value("x", &u128::MAX), Err(EncodeError::IntegerOutOfRange { .. })));
        assert!(matches!(to_value("x", &i128::MIN), Err(EncodeError::IntegerOutOfRange { .. })));
        assert_eq!(to_value("x", &u128::from(u64::MAX)).unwrap(), json!(u64::MAX));
        assert!(matches!(to_value("x", &BTreeMap::from([(vec![1], 1)])), Err(EncodeError::Serialize { .. })));
        assert_eq!(to_value("x", &BTreeMap::from([(1, 1)])).unwrap(), json!({"1": 1}));
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels| (0..levels).fold(json!(1), |value, _| json!([value]));
        assert!(to_value("x", &nested(100)).is_ok() && check_depth("x", &nested(100)).is_ok());
        assert!(matches!(to_value("x", &nested(101)), Err(EncodeError::TooDeep { limit: 100, .. })));
        assert!(matches!(check_depth("x", &nested(101)), Err(EncodeError::TooDeep { limit: 100, .. })));
    }
}
