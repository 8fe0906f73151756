//! The other side of a relationship as serde reads it: an id, an identifier, or the resource that it names.

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::included::Way;
use super::object::Object;
use crate::resource::json::Text;
use crate::resource::mismatch::Mismatch;
use crate::resource::relationship::{Identifier, RelationshipData};

/// The other side of a relationship.
#[derive(Clone, Copy)]
pub(super) struct Other<'a, 'de> {
    side: Side<'de>,
    way: Way<'a, 'de>,
}

#[derive(Clone, Copy)]
enum Side<'de> {
    None,
    One(&'de Identifier),
    Many(&'de [Identifier]),
}

impl<'a, 'de> Other<'a, 'de> {
    pub(super) fn new(data: &'de RelationshipData, way: Way<'a, 'de>) -> Self {
        let side = match data {
            RelationshipData::Absent | RelationshipData::Null => Side::None,
            RelationshipData::One(identifier) => Side::One(identifier),
            RelationshipData::Many(identifiers) => Side::Many(identifiers),
        };
        Self { side, way }
    }

    /// The resource, or its name where the document does not hold it.
    fn object(self, identifier: &'de Identifier) -> Result<Object<'a, 'de>, Mismatch> {
        Ok(match self.way.follow(identifier)? {
            Some(object) => Object::whole(object, self.way),
            None => Object::named(identifier, self.way),
        })
    }
}

macro_rules! the_id_alone {
    ($($deserialize:ident)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match self.side {
                Side::One(identifier) => Text(&identifier.id).$deserialize(visitor),
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Other<'_, 'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.side {
            Side::None => visitor.visit_unit(),
            Side::One(identifier) => self.object(identifier)?.deserialize_any(visitor),
            Side::Many(identifiers) => visitor.visit_seq(List { identifiers, index: 0, way: self.way }),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.side {
            Side::One(identifier) => self.object(identifier)?.deserialize_struct(name, fields, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.side {
            Side::One(identifier) => self.object(identifier)?.deserialize_enum(name, variants, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.side {
            Side::None => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_unit()
    }

    the_id_alone! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_str deserialize_string
    }

    forward_to_deserialize_any! {
        bool f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier
    }
}

/// The other sides of a relationship to many.
struct List<'a, 'de> {
    identifiers: &'de [Identifier],
    index: usize,
    way: Way<'a, 'de>,
}

impl<'de> SeqAccess<'de> for List<'_, 'de> {
    type Error = Mismatch;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mismatch> {
        let Some(identifier) = self.identifiers.get(self.index) else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        let other = Other { side: Side::One(identifier), way: self.way };
        seed.deserialize(other).map(Some).map_err(|e| e.at(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.identifiers.len() - self.index)
    }
}
