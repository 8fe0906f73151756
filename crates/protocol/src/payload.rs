//! User values on their way to JSON. serde_json turns a NaN into `null` without a word; here it
//! is refused, like whatever else some Python in the fleet could not read back.

use std::fmt::{self, Display};

use serde::ser::{self, Serialize, Serializer};
use serde_json::Value;

use crate::EncodeError;

/// How deep a payload may nest. Celery's workers die of 900 levels.
pub(crate) const MAX_DEPTH: usize = 100;

/// The value in JSON, where all of the fleet can read that; `what` is for the error.
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
    value.serialize(Check { depth: 0 }).map_err(|refusal| refusal.into_error(what))?;
    serde_json::to_value(value)
        .map_err(|error| EncodeError::Serialize { what: what.to_owned(), why: error.to_string() })
}

/// Refuses a value that nests too deep. For values that did not come through [`to_value`].
pub(crate) fn check_depth(what: &str, value: &Value) -> Result<(), EncodeError> {
    fn fits(value: &Value, left: usize) -> bool {
        match value {
            Value::Array(items) => left > 0 && items.iter().all(|item| fits(item, left - 1)),
            Value::Object(map) => left > 0 && map.values().all(|item| fits(item, left - 1)),
            _ => true,
        }
    }
    if fits(value, MAX_DEPTH) { Ok(()) } else { Err(EncodeError::TooDeep { what: what.to_owned(), limit: MAX_DEPTH }) }
}

/// Why [`Check`] refused.
#[derive(Debug)]
enum Refusal {
    NotFinite,
    Integer,
    Depth,
    Own(String),
}

impl Refusal {
    fn into_error(self, what: &str) -> EncodeError {
        let what = what.to_owned();
        match self {
            Refusal::NotFinite => EncodeError::NotFinite { what },
            Refusal::Integer => EncodeError::IntegerOutOfRange { what },
            Refusal::Depth => EncodeError::TooDeep { what, limit: MAX_DEPTH },
            Refusal::Own(why) => EncodeError::Serialize { what, why },
        }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Refusal {}

impl ser::Error for Refusal {
    fn custom<T: Display>(message: T) -> Self {
        Refusal::Own(message.to_string())
    }
}

/// A serializer that writes nothing and only looks.
#[derive(Clone, Copy)]
struct Check {
    depth: usize,
}

impl Check {
    fn deeper(self) -> Result<Self, Refusal> {
        if self.depth >= MAX_DEPTH { Err(Refusal::Depth) } else { Ok(Self { depth: self.depth + 1 }) }
    }
}

macro_rules! accept {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method(self, _: $type) -> Result<(), Refusal> {
            Ok(())
        })*
    };
}

impl Serializer for Check {
    type Ok = ();
    type Error = Refusal;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    accept! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_char: char,
        serialize_str: &str, serialize_unit_struct: &'static str,
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Refusal> {
        self.deeper().map(drop)
    }

    fn serialize_i128(self, value: i128) -> Result<(), Refusal> {
        if i64::try_from(value).is_ok() || u64::try_from(value).is_ok() { Ok(()) } else { Err(Refusal::Integer) }
    }

    fn serialize_u128(self, value: u128) -> Result<(), Refusal> {
        u64::try_from(value).map(drop).map_err(|_| Refusal::Integer)
    }

    fn serialize_f32(self, value: f32) -> Result<(), Refusal> {
        if value.is_finite() { Ok(()) } else { Err(Refusal::NotFinite) }
    }

    fn serialize_f64(self, value: f64) -> Result<(), Refusal> {
        if value.is_finite() { Ok(()) } else { Err(Refusal::NotFinite) }
    }

    fn serialize_none(self) -> Result<(), Refusal> {
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Refusal> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refusal> {
        value.serialize(self)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Refusal> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Refusal> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Refusal> {
        value.serialize(self.deeper()?)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Refusal> {
        self.deeper()
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Refusal> {
        self.deeper()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Refusal> {
        self.deeper()
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, Refusal> {
        self.deeper()?.deeper()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Refusal> {
        self.deeper()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Refusal> {
        self.deeper()
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, Refusal> {
        self.deeper()?.deeper()
    }
}

macro_rules! elements {
    ($($part:ident: $method:ident),* $(,)?) => {
        $(impl ser::$part for Check {
            type Ok = ();
            type Error = Refusal;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
                value.serialize(*self)
            }

            fn end(self) -> Result<(), Refusal> {
                Ok(())
            }
        })*
    };
}

macro_rules! fields {
    ($($part:ident),* $(,)?) => {
        $(impl ser::$part for Check {
            type Ok = ();
            type Error = Refusal;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), Refusal> {
                value.serialize(*self)
            }

            fn end(self) -> Result<(), Refusal> {
                Ok(())
            }
        })*
    };
}

elements!(
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field,
);
fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Check {
    type Ok = ();
    type Error = Refusal;

    /// Which keys will do, serde_json knows.
    fn serialize_key<T: Serialize + ?Sized>(&mut self, _: &T) -> Result<(), Refusal> {
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        value.serialize(*self)
    }

    fn end(self) -> Result<(), Refusal> {
        Ok(())
    }
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
    fn what_json_cannot_say_is_refused() {
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
