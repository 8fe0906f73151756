//! Checks a value of a user before it becomes JSON: depth, integers and floats.

use std::fmt::{self, Display};

use serde::ser::{self, Serialize, Serializer};

use crate::EncodeError;

/// How deep a value may be nested. 900 levels kill a Celery worker.
pub(super) const MAX_DEPTH: usize = 100;

/// Why [`ValueCheck`] refused.
#[derive(Debug)]
pub(super) enum Refusal {
    NotFinite,
    Integer,
    Depth,
    Custom(String),
}

impl Refusal {
    pub(super) fn into_error(self, what: &str) -> EncodeError {
        let what = what.to_owned();
        match self {
            Refusal::NotFinite => EncodeError::NotFinite { what },
            Refusal::Integer => EncodeError::IntegerOutOfRange { what },
            Refusal::Depth => EncodeError::TooDeep { what, limit: MAX_DEPTH },
            Refusal::Custom(why) => EncodeError::Serialize { what, why },
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
        Refusal::Custom(message.to_string())
    }
}

/// A serializer that writes nothing and only checks.
#[derive(Clone, Copy)]
pub(super) struct ValueCheck {
    depth: usize,
}

impl ValueCheck {
    pub(super) fn new() -> Self {
        Self { depth: 0 }
    }

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

impl Serializer for ValueCheck {
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
        $(impl ser::$part for ValueCheck {
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
        $(impl ser::$part for ValueCheck {
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

impl ser::SerializeMap for ValueCheck {
    type Ok = ();
    type Error = Refusal;

    /// serde_json checks the keys.
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
