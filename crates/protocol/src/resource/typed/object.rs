//! A resource object as serde reads it: which field gets what of it.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, VariantAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use super::included::Way;
use super::other::Other;
use crate::resource::json::{self, Json, Text};
use crate::resource::mismatch::Mismatch;
use crate::resource::names::snake_case;
use crate::resource::object::ResourceObject;
use crate::resource::read;
use crate::resource::relationship::{Identifier, RelationshipData};

#[derive(Clone, Copy)]
enum Slot<'de> {
    Id(&'de str),
    Type(&'de str),
    Attribute(&'de str, &'de Value),
    Relationship(&'de str, &'de RelationshipData),
}

type Entry<'de> = (Cow<'de, str>, Slot<'de>);

/// A resource: a whole one, or one that the document names and does not hold.
#[derive(Clone, Copy)]
pub(super) struct Object<'a, 'de> {
    id: Option<&'de str>,
    type_: &'de str,
    object: Option<&'de ResourceObject>,
    way: Way<'a, 'de>,
}

impl<'a, 'de> Object<'a, 'de> {
    pub(super) fn whole(object: &'de ResourceObject, way: Way<'a, 'de>) -> Self {
        Self { id: object.id.as_deref(), type_: &object.type_, object: Some(object), way }
    }

    pub(super) fn named(identifier: &'de Identifier, way: Way<'a, 'de>) -> Self {
        Self { id: Some(&identifier.id), type_: &identifier.type_, object: None, way }
    }

    /// What every resource has, where this one has it.
    fn own(self) -> impl Iterator<Item = (&'static str, Slot<'de>)> {
        let type_ = Some(self.type_).filter(|type_| !type_.is_empty());
        let own = [("id", self.id.map(Slot::Id)), ("type", type_.map(Slot::Type))];
        own.into_iter().filter_map(|(name, slot)| Some((name, slot?)))
    }

    /// The attributes, without those that JSON:API forbids because the resource itself has them.
    fn attributes(self) -> impl Iterator<Item = (&'de String, &'de Value)> {
        let (id, type_) = (self.id.is_some(), !self.type_.is_empty());
        let all = self.object.into_iter().flat_map(|object| &object.attributes);
        all.filter(move |(name, _)| !(id && *name == "id" || type_ && *name == "type"))
    }

    /// What a struct with these fields gets.
    fn for_fields(self, fields: &'static [&'static str], with_relationships: bool) -> Vec<Entry<'de>> {
        let mut entries: Vec<Entry<'de>> = self
            .own()
            .filter(|(name, _)| fields.contains(name))
            .map(|(name, slot)| (Cow::Borrowed(name), slot))
            .collect();
        let Some(object) = self.object else { return entries };
        let is_taken = |entries: &[Entry<'de>], field: &str| entries.iter().any(|(key, _)| key == field);

        let here = |field: &str| object.attributes.contains_key(field) || is_taken(&entries, field);
        let attributes = json::match_fields(self.attributes(), here, fields);
        entries.extend(attributes.into_iter().map(|(key, name, v)| (Cow::Borrowed(key), Slot::Attribute(name, v))));
        if !with_relationships {
            return entries;
        }
        let relationships = &object.relationships;
        let here = |field: &str| relationships.get(field).is_some_and(|r| !r.data.is_absent());
        let present = relationships.iter().filter(|(_, r)| !r.data.is_absent());
        for (key, name, relationship) in json::match_fields(present, here, fields) {
            if fields.contains(&key) && !is_taken(&entries, key) {
                entries.push((Cow::Borrowed(key), Slot::Relationship(name, &relationship.data)));
            }
        }
        entries
    }

    /// What a map gets.
    fn for_map(self) -> Vec<Entry<'de>> {
        let mut entries: Vec<Entry<'de>> = self.own().map(|(name, slot)| (Cow::Borrowed(name), slot)).collect();
        let mut taken: HashSet<Cow<'de, str>> = entries.iter().map(|(key, _)| key.clone()).collect();
        for (name, value) in self.attributes() {
            let snake = snake_case(name);
            let collides = snake != *name && self.object.is_some_and(|it| it.attributes.contains_key(snake.as_ref()));
            let key = if collides || taken.contains(&snake) { Cow::Borrowed(name.as_str()) } else { snake };
            taken.insert(key.clone());
            entries.push((key, Slot::Attribute(name, value)));
        }
        entries
    }

    /// Says why a field of a resource that the document only names got nothing.
    fn hint(self, mismatch: Mismatch) -> Mismatch {
        if self.object.is_some() || !self.way.has_document() || !mismatch.is_missing || !mismatch.at.part.is_empty() {
            return mismatch;
        }
        let (type_, id) = (read::clip(self.type_), read::clip(self.id.unwrap_or_default()));
        let problem = format!("{}: the document does not include {type_} {id}", mismatch.problem);
        Mismatch { problem, ..mismatch }
    }
}

impl<'de> Deserializer<'de> for Object<'_, 'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_map(Entries { entries: self.for_map().into_iter(), current: None, way: self.way })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let step = self.object.and_then(|object| self.way.step(object, name, fields));
        let entries = self.for_fields(fields, step.is_some()).into_iter();
        let way = step.as_ref().map_or(self.way, |step| self.way.after(step));
        visitor.visit_map(Entries { entries, current: None, way }).map_err(|mismatch| self.hint(mismatch))
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

impl<'de> EnumAccess<'de> for Object<'_, 'de> {
    type Error = Mismatch;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Mismatch> {
        Ok((seed.deserialize(Text(self.type_)).map_err(|e| e.of_its("type"))?, self))
    }
}

impl<'de> VariantAccess<'de> for Object<'_, 'de> {
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

struct Entries<'a, 'de> {
    entries: std::vec::IntoIter<Entry<'de>>,
    current: Option<Slot<'de>>,
    way: Way<'a, 'de>,
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Mismatch;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mismatch> {
        let Some((key, slot)) = self.entries.next() else { return Ok(None) };
        self.current = Some(slot);
        seed.deserialize(json::key(key)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Mismatch> {
        let Some(slot) = self.current.take() else {
            return Err(Mismatch::custom("a value was asked for before its key"));
        };
        match slot {
            Slot::Id(id) => seed.deserialize(Text(id)).map_err(|e| e.of_its("id")),
            Slot::Type(type_) => seed.deserialize(Text(type_)).map_err(|e| e.of_its("type")),
            Slot::Attribute(name, value) => {
                seed.deserialize(Json::new(value)).map_err(|e| e.within("attribute", name, "attributes"))
            }
            Slot::Relationship(name, data) => seed
                .deserialize(Other::new(data, self.way))
                .map_err(|e| e.within("relationship", name, "relationships")),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}
