//! Deserialization of a borrowed JSON value, with `Mismatch` as the error. It differs from serde_json in three ways:
//! errors name the location and hold no value, the depth is bounded, and struct fields also match names by their snake
//! case.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use super::enum_variant::EnumVariant;
use super::field_names::match_fields;
use super::mismatch::Mismatch;
use super::text_deserializer::TextDeserializer;

/// How deep a value may be nested. Decoded messages are never nested deeper.
const MAX_DEPTH: u8 = 128;

/// A JSON value.
#[derive(Clone, Copy)]
pub(super) struct ValueDeserializer<'de> {
    value: &'de Value,
    depth: u8,
}

impl<'de> ValueDeserializer<'de> {
    pub(super) fn new(value: &'de Value) -> Self {
        ValueDeserializer { value, depth: 0 }
    }

    fn unexpected(self) -> Unexpected<'de> {
        match self.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(b) => Unexpected::Bool(*b),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(n), _, _) => Unexpected::Unsigned(n),
                (_, Some(n), _) => Unexpected::Signed(n),
                (_, _, n) => Unexpected::Float(n.unwrap_or(f64::NAN)),
            },
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        }
    }

    fn deeper(self) -> Result<u8, Mismatch> {
        match self.depth + 1 {
            depth if depth > MAX_DEPTH => {
                Err(Mismatch::invalid_value(self.unexpected(), &"a value that nests at most 128 levels deep"))
            }
            depth => Ok(depth),
        }
    }

    fn visit_list<V: Visitor<'de>>(self, items: &'de [Value], visitor: V) -> Result<V::Value, Mismatch> {
        let mut list = Elements { items: items.iter(), index: 0, depth: self.deeper()? };
        let value = visitor.visit_seq(&mut list)?;
        if list.items.len() == 0 {
            Ok(value)
        } else {
            Err(Mismatch::invalid_length(items.len(), &"fewer elements in the list"))
        }
    }

    fn visit_map<V: Visitor<'de>>(self, map: &'de Map<String, Value>, visitor: V) -> Result<V::Value, Mismatch> {
        // The keys of a map may be secret: errors show `*`.
        let entries = map.iter().map(|(name, value)| (name.as_str(), "*", value));
        visitor.visit_map(Members { entries, current: None, depth: self.deeper()? })
    }

    fn visit_fields<V: Visitor<'de>>(
        self,
        map: &'de Map<String, Value>,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let entries = match_fields(map.iter(), |name| map.contains_key(name), fields).into_iter();
        visitor.visit_map(Members { entries, current: None, depth: self.deeper()? })
    }
}

impl<'de> Deserializer<'de> for ValueDeserializer<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.value {
            Value::Array(items) => self.visit_list(items, visitor),
            Value::Object(map) => self.visit_map(map, visitor),
            Value::String(text) => visitor.visit_borrowed_str(text),
            _ => match self.unexpected() {
                Unexpected::Bool(b) => visitor.visit_bool(b),
                Unexpected::Unsigned(n) => visitor.visit_u64(n),
                Unexpected::Signed(n) => visitor.visit_i64(n),
                Unexpected::Float(n) => visitor.visit_f64(n),
                _ => visitor.visit_unit(),
            },
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.value {
            Value::Object(map) => self.visit_fields(map, fields, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.value {
            Value::String(text) => visitor.visit_enum(EnumVariant::<Self> { name: text, content: None }),
            Value::Object(map) => match (map.iter().next(), map.len()) {
                (Some((name, value)), 1) => visitor.visit_enum(EnumVariant {
                    name,
                    content: Some(ValueDeserializer { value, depth: self.deeper()? }),
                }),
                _ => Err(Mismatch::invalid_value(self.unexpected(), &"an object with a single member")),
            },
            _ => Err(Mismatch::invalid_type(self.unexpected(), &"string or object")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map identifier
    }
}

struct Elements<'de> {
    items: std::slice::Iter<'de, Value>,
    index: usize,
    depth: u8,
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = Mismatch;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mismatch> {
        let Some(value) = self.items.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        seed.deserialize(ValueDeserializer { value, depth: self.depth }).map(Some).map_err(|e| e.at(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// Members of an object: the key for the type, the name for errors, and the value.
struct Members<'de, I> {
    entries: I,
    current: Option<(&'de str, &'de Value)>,
    depth: u8,
}

impl<'de, I: Iterator<Item = (&'de str, &'de str, &'de Value)>> MapAccess<'de> for Members<'de, I> {
    type Error = Mismatch;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mismatch> {
        let Some((key, name, value)) = self.entries.next() else { return Ok(None) };
        self.current = Some((name, value));
        seed.deserialize(TextDeserializer(key)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Mismatch> {
        let Some((name, value)) = self.current.take() else {
            return Err(Mismatch::custom("a value was requested before its key"));
        };
        seed.deserialize(ValueDeserializer { value, depth: self.depth }).map_err(|e| e.inside(name))
    }

    fn size_hint(&self) -> Option<usize> {
        self.entries.size_hint().1
    }
}
