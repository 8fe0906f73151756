//! Deserialising a borrowed JSON value with `Mismatch` as the error: like serde_json's own, but its errors hold no
//! value and say where, its depth is bounded, and fields of a struct are matched in snake case too. Resources are
//! not known here.

use std::borrow::Cow;

use serde::de::value::{CowStrDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use super::mismatch::Mismatch;
use super::names::snake_case;

/// How deep a value may nest. What is decoded from the wire nests no deeper.
const MAX_DEPTH: u8 = 128;

/// Finds for each name on the wire the name by which a struct knows it: the same, or its snake case where no wire
/// name is exactly that field. A name that no field asks for stays as it is.
pub(super) fn match_fields<'de, V>(
    wire: impl Iterator<Item = (&'de String, V)>,
    is_on_wire: impl Fn(&str) -> bool,
    fields: &'static [&'static str],
) -> Vec<(&'de str, &'de str, V)> {
    let mut taken: Vec<&'static str> = Vec::new();
    wire.map(|(name, value)| {
        if fields.contains(&name.as_str()) {
            return (name.as_str(), name.as_str(), value);
        }
        let snake = match snake_case(name) {
            Cow::Borrowed(_) => None,
            Cow::Owned(snake) => fields.iter().find(|&&field| field == snake),
        };
        match snake {
            Some(field) if !taken.contains(field) && !is_on_wire(field) => {
                taken.push(field);
                (*field, name.as_str(), value)
            }
            _ => (name.as_str(), name.as_str(), value),
        }
    })
    .collect()
}

/// A JSON value.
#[derive(Clone, Copy)]
pub(super) struct Json<'de> {
    value: &'de Value,
    depth: u8,
}

impl<'de> Json<'de> {
    pub(super) fn new(value: &'de Value) -> Self {
        Json { value, depth: 0 }
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
        let mut list = List { items: items.iter(), index: 0, depth: self.deeper()? };
        let value = visitor.visit_seq(&mut list)?;
        if list.items.len() == 0 {
            Ok(value)
        } else {
            Err(Mismatch::invalid_length(items.len(), &"fewer elements in the list"))
        }
    }

    fn visit_map<V: Visitor<'de>>(self, map: &'de Map<String, Value>, visitor: V) -> Result<V::Value, Mismatch> {
        // The keys of a map may be values, and are not for errors.
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

impl<'de> Deserializer<'de> for Json<'de> {
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
            Value::String(text) => visitor.visit_enum(Variant { name: text, content: None }),
            Value::Object(map) => match (map.iter().next(), map.len()) {
                (Some((name, value)), 1) => {
                    visitor.visit_enum(Variant { name, content: Some(Json { value, depth: self.deeper()? }) })
                }
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

struct List<'de> {
    items: std::slice::Iter<'de, Value>,
    index: usize,
    depth: u8,
}

impl<'de> SeqAccess<'de> for List<'de> {
    type Error = Mismatch;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mismatch> {
        let Some(value) = self.items.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        seed.deserialize(Json { value, depth: self.depth }).map(Some).map_err(|e| e.at(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// Members of an object: the key that the type gets, the name for errors, and the value.
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
        seed.deserialize(Text(key)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Mismatch> {
        let Some((name, value)) = self.current.take() else {
            return Err(Mismatch::custom("a value was asked for before its key"));
        };
        seed.deserialize(Json { value, depth: self.depth }).map_err(|e| e.inside(name))
    }

    fn size_hint(&self) -> Option<usize> {
        self.entries.size_hint().1
    }
}

struct Variant<'de> {
    name: &'de str,
    content: Option<Json<'de>>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Mismatch;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Mismatch> {
        let name: StrDeserializer<'de, Mismatch> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Mismatch;

    fn unit_variant(self) -> Result<(), Mismatch> {
        self.content.map_or(Ok(()), de::Deserialize::deserialize)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Mismatch> {
        match self.content {
            Some(content) => seed.deserialize(content),
            None => Err(Mismatch::invalid_type(Unexpected::Str(self.name), &"an object with the variant's content")),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mismatch> {
        match self.content {
            Some(content) => content.deserialize_seq(visitor),
            None => Err(Mismatch::invalid_type(Unexpected::Str(self.name), &visitor)),
        }
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.content {
            Some(content) => content.deserialize_struct("", fields, visitor),
            None => Err(Mismatch::invalid_type(Unexpected::Str(self.name), &visitor)),
        }
    }
}

/// Text that may stand for a number or a boolean where the type wants one: ids, and the keys of maps.
#[derive(Clone, Copy)]
pub(super) struct Text<'de>(pub(super) &'de str);

macro_rules! parse {
    ($($deserialize:ident $visit:ident $number:ty,)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match self.0.parse::<$number>() {
                Ok(number) => visitor.$visit(number),
                Err(_) => Err(Mismatch::invalid_value(Unexpected::Str(self.0), &visitor)),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Text<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_borrowed_str(self.0)
    }

    parse! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_i128 visit_i128 i128,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_u128 visit_u128 u128,
        deserialize_f32 visit_f32 f32,
        deserialize_f64 visit_f64 f64,
        deserialize_bool visit_bool bool,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_enum(Variant { name: self.0, content: None })
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Mismatch> for Text<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// A key that may have been made here.
pub(super) fn key<'de>(key: Cow<'de, str>) -> CowStrDeserializer<'de, Mismatch> {
    key.into_deserializer()
}
