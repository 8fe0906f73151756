//! Deserialization of a resource and of its relationships. The two stand in one file because they call each other.

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::include_path::IncludePath;
use super::resource_parts::{Field, FieldValue, ResourceParts};
use crate::resource::error_text::clip;
use crate::resource::mismatch::Mismatch;
use crate::resource::object::ResourceObject;
use crate::resource::relationship::{Identifier, RelationshipData};
use crate::resource::text_deserializer::{self, TextDeserializer};
use crate::resource::value_deserializer::ValueDeserializer;

/// A resource.
#[derive(Clone, Copy)]
pub(super) struct ResourceDeserializer<'a, 'de> {
    parts: ResourceParts<'de>,
    path: IncludePath<'a, 'de>,
}

impl<'a, 'de> ResourceDeserializer<'a, 'de> {
    pub(super) fn new(object: &'de ResourceObject, path: IncludePath<'a, 'de>) -> Self {
        Self { parts: ResourceParts::of_object(object), path }
    }

    /// Adds to the error of a missing field that the document does not include the resource.
    fn hint(self, mismatch: Mismatch) -> Mismatch {
        let ResourceParts { id, type_, object } = self.parts;
        if object.is_some() || !self.path.has_document() || !mismatch.is_missing || !mismatch.at.part.is_empty() {
            return mismatch;
        }
        let (type_, id) = (clip(type_), clip(id.unwrap_or_default()));
        let problem = format!("{}: the document does not include {type_} {id}", mismatch.problem);
        Mismatch { problem, ..mismatch }
    }
}

impl<'de> Deserializer<'de> for ResourceDeserializer<'_, 'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_map(Fields { fields: self.parts.for_map().into_iter(), current: None, path: self.path })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let step = self.parts.object.and_then(|object| self.path.step(object, name, fields));
        let fields = self.parts.for_struct(fields, step.is_some()).into_iter();
        let path = step.as_ref().map_or(self.path, |step| self.path.after(step));
        visitor.visit_map(Fields { fields, current: None, path }).map_err(|mismatch| self.hint(mismatch))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        seq tuple tuple_struct map identifier
    }
}

impl<'de> EnumAccess<'de> for ResourceDeserializer<'_, 'de> {
    type Error = Mismatch;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Mismatch> {
        Ok((seed.deserialize(TextDeserializer(self.parts.type_)).map_err(|e| e.of_its("type"))?, self))
    }
}

impl<'de> VariantAccess<'de> for ResourceDeserializer<'_, 'de> {
    type Error = Mismatch;

    fn unit_variant(self) -> Result<(), Mismatch> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Mismatch> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_struct("", fields, visitor)
    }
}

/// The fields of a resource.
struct Fields<'a, 'de> {
    fields: std::vec::IntoIter<Field<'de>>,
    current: Option<FieldValue<'de>>,
    path: IncludePath<'a, 'de>,
}

impl<'de> MapAccess<'de> for Fields<'_, 'de> {
    type Error = Mismatch;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mismatch> {
        let Some((key, value)) = self.fields.next() else { return Ok(None) };
        self.current = Some(value);
        seed.deserialize(text_deserializer::key(key)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Mismatch> {
        let Some(value) = self.current.take() else {
            return Err(Mismatch::custom("a value was requested before its key"));
        };
        match value {
            FieldValue::Id(id) => seed.deserialize(TextDeserializer(id)).map_err(|e| e.of_its("id")),
            FieldValue::Type(type_) => seed.deserialize(TextDeserializer(type_)).map_err(|e| e.of_its("type")),
            FieldValue::Attribute(name, value) => {
                seed.deserialize(ValueDeserializer::new(value)).map_err(|e| e.within("attribute", name, "attributes"))
            }
            FieldValue::Relationship(name, data) => seed
                .deserialize(RelationshipDeserializer::new(data, self.path))
                .map_err(|e| e.within("relationship", name, "relationships")),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.fields.len())
    }
}

/// The related resources of a relationship. The type decides whether it gets ids, identifiers or resources.
#[derive(Clone, Copy)]
struct RelationshipDeserializer<'a, 'de> {
    related: RelatedResources<'de>,
    path: IncludePath<'a, 'de>,
}

#[derive(Clone, Copy)]
enum RelatedResources<'de> {
    None,
    One(&'de Identifier),
    Many(&'de [Identifier]),
}

impl<'a, 'de> RelationshipDeserializer<'a, 'de> {
    fn new(data: &'de RelationshipData, path: IncludePath<'a, 'de>) -> Self {
        let related = match data {
            RelationshipData::Absent | RelationshipData::Null => RelatedResources::None,
            RelationshipData::One(identifier) => RelatedResources::One(identifier),
            RelationshipData::Many(identifiers) => RelatedResources::Many(identifiers),
        };
        Self { related, path }
    }

    /// The resource, or only its identifier if the document does not contain it.
    fn resource(self, identifier: &'de Identifier) -> Result<ResourceDeserializer<'a, 'de>, Mismatch> {
        let parts = match self.path.follow(identifier)? {
            Some(object) => ResourceParts::of_object(object),
            None => ResourceParts::of_identifier(identifier),
        };
        Ok(ResourceDeserializer { parts, path: self.path })
    }
}

macro_rules! deserialize_the_id {
    ($($deserialize:ident)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match self.related {
                RelatedResources::One(identifier) => TextDeserializer(&identifier.id).$deserialize(visitor),
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for RelationshipDeserializer<'_, 'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.related {
            RelatedResources::None => visitor.visit_unit(),
            RelatedResources::One(identifier) => self.resource(identifier)?.deserialize_any(visitor),
            RelatedResources::Many(identifiers) => {
                visitor.visit_seq(RelatedList { identifiers, index: 0, path: self.path })
            }
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.related {
            RelatedResources::One(identifier) => self.resource(identifier)?.deserialize_struct(name, fields, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.related {
            RelatedResources::One(identifier) => self.resource(identifier)?.deserialize_enum(name, variants, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.related {
            RelatedResources::None => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_unit()
    }

    deserialize_the_id! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_str deserialize_string
    }

    forward_to_deserialize_any! {
        bool f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier
    }
}

/// The related resources of a relationship to many.
struct RelatedList<'a, 'de> {
    identifiers: &'de [Identifier],
    index: usize,
    path: IncludePath<'a, 'de>,
}

impl<'de> SeqAccess<'de> for RelatedList<'_, 'de> {
    type Error = Mismatch;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mismatch> {
        let Some(identifier) = self.identifiers.get(self.index) else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        let one = RelationshipDeserializer { related: RelatedResources::One(identifier), path: self.path };
        seed.deserialize(one).map(Some).map_err(|e| e.at(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.identifiers.len() - self.index)
    }
}
