//! The parts of a resource, and which of them become fields of a struct or entries of a map.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;

use crate::resource::field_names::match_fields;
use crate::resource::object::ResourceObject;
use crate::resource::relationship::{Identifier, RelationshipData};
use crate::snake_case::snake_case;

/// The value of a field: a part of a resource, with its name on the wire.
#[derive(Clone, Copy)]
pub(super) enum FieldValue<'de> {
    Id(&'de str),
    Type(&'de str),
    Attribute(&'de str, &'de Value),
    Relationship(&'de str, &'de RelationshipData),
}

/// The name of a field, and its value.
pub(super) type Field<'de> = (Cow<'de, str>, FieldValue<'de>);

/// A resource: with its object, or only an identifier of a resource that the document does not contain.
#[derive(Clone, Copy)]
pub(super) struct ResourceParts<'de> {
    pub(super) id: Option<&'de str>,
    pub(super) type_: &'de str,
    pub(super) object: Option<&'de ResourceObject>,
}

impl<'de> ResourceParts<'de> {
    pub(super) fn of_object(object: &'de ResourceObject) -> Self {
        Self { id: object.id.as_deref(), type_: &object.type_, object: Some(object) }
    }

    pub(super) fn of_identifier(identifier: &'de Identifier) -> Self {
        Self { id: Some(&identifier.id), type_: &identifier.type_, object: None }
    }

    /// The id and the type, if the resource has them.
    fn own(self) -> impl Iterator<Item = (&'static str, FieldValue<'de>)> {
        let type_ = Some(self.type_).filter(|type_| !type_.is_empty());
        let own = [("id", self.id.map(FieldValue::Id)), ("type", type_.map(FieldValue::Type))];
        own.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// The attributes, without attributes `id` and `type` if the resource itself has them. JSON:API forbids such
    /// attributes.
    fn attributes(self) -> impl Iterator<Item = (&'de String, &'de Value)> {
        let (id, type_) = (self.id.is_some(), !self.type_.is_empty());
        let all = self.object.into_iter().flat_map(|object| &object.attributes);
        all.filter(move |(name, _)| !(id && *name == "id" || type_ && *name == "type"))
    }

    /// The fields of a struct.
    pub(super) fn for_struct(self, fields: &'static [&'static str], with_relationships: bool) -> Vec<Field<'de>> {
        let mut entries: Vec<Field<'de>> = self
            .own()
            .filter(|(name, _)| fields.contains(name))
            .map(|(name, value)| (Cow::Borrowed(name), value))
            .collect();
        let Some(object) = self.object else { return entries };
        let is_taken = |entries: &[Field<'de>], field: &str| entries.iter().any(|(key, _)| key == field);

        let here = |field: &str| object.attributes.contains_key(field) || is_taken(&entries, field);
        let attributes = match_fields(self.attributes(), here, fields);
        entries
            .extend(attributes.into_iter().map(|(key, name, v)| (Cow::Borrowed(key), FieldValue::Attribute(name, v))));
        if !with_relationships {
            return entries;
        }
        let relationships = &object.relationships;
        let here = |field: &str| relationships.get(field).is_some_and(|r| !r.data.is_absent());
        let present = relationships.iter().filter(|(_, r)| !r.data.is_absent());
        for (key, name, relationship) in match_fields(present, here, fields) {
            if fields.contains(&key) && !is_taken(&entries, key) {
                entries.push((Cow::Borrowed(key), FieldValue::Relationship(name, &relationship.data)));
            }
        }
        entries
    }

    /// The entries of a map.
    pub(super) fn for_map(self) -> Vec<Field<'de>> {
        let mut entries: Vec<Field<'de>> = self.own().map(|(name, value)| (Cow::Borrowed(name), value)).collect();
        let mut taken: HashSet<Cow<'de, str>> = entries.iter().map(|(key, _)| key.clone()).collect();
        for (name, value) in self.attributes() {
            let snake = snake_case(name);
            let collides = snake != *name && self.object.is_some_and(|it| it.attributes.contains_key(snake.as_ref()));
            let key = if collides || taken.contains(&snake) { Cow::Borrowed(name.as_str()) } else { snake };
            taken.insert(key.clone());
            entries.push((key, FieldValue::Attribute(name, value)));
        }
        entries
    }
}
