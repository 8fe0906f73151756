//! Fitting a resource object into a type: which field gets what. How a single JSON value becomes a value of a type
//! is in `json`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use super::error::{FieldError, ResourceError};
use super::json::{self, Json, Text};
use super::mismatch::Mismatch;
use super::names::snake_case;
use super::object::ResourceObject;
use super::read;
use super::relationship::{Identifier, Relationship, RelationshipData};

/// A resource whose attributes are a type of yours.
///
/// How a `T` that is a plain struct is filled:
/// * An attribute goes to the field of exactly its name, or else to the field that is its
///   [snake case](super::snake_case): `createdAt` and `created-at` go to `created_at`. The same holds for structs
///   inside attributes. What no field asks for is ignored, or refused where `T` has `deny_unknown_fields`.
/// * `id` and `type` are given where `T` asks for them, the id as text or parsed into a number.
/// * A relationship goes to the field of its name, if no attribute did: to one as its identifier
///   ([`Identifier`], or the id alone as text or a number), to none as null, to many as a list. A
///   relationship without `data` is as if it were not there.
///
/// Where the fields are not known beforehand (maps, [`Value`], `#[serde(flatten)]`, enums with a tag), attributes are
/// given in snake case, with `id` and `type`, and without relationships. An enum without serde attributes is chosen
/// by the type of the resource: `enum Thing { Order(Order), Company(Company) }`.
///
/// `Debug` shows what `T`'s own shows, and of links and `meta` the names.
///
/// ```
/// use serde::Deserialize;
/// use serde_json::json;
/// use zc_events_protocol::resource::{Document, Resource};
///
/// #[derive(Deserialize)]
/// struct Order {
///     created_at: String,
///     company: u64,
/// }
///
/// let document = Document::from_value(json!({"data": {
///     "type": "Order",
///     "id": "5",
///     "attributes": {"created-at": "2016-05-01"},
///     "relationships": {"company": {"data": {"type": "Company", "id": "7"}}}
/// }}))?;
/// let order: Resource<Order> = document.resource()?;
/// assert_eq!((order.type_.as_str(), order.id.as_str()), ("Order", "5"));
/// assert_eq!((order.attributes.created_at.as_str(), order.attributes.company), ("2016-05-01", 7));
/// # Ok::<(), zc_events_protocol::resource::ResourceError>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Resource<T> {
    /// The id; empty where the document has none, as in a resource that is yet to be created.
    pub id: String,
    /// The type; empty where the document has none.
    pub type_: String,
    /// The attributes.
    pub attributes: T,
    /// The relationships, under their names on the wire.
    pub relationships: BTreeMap<String, Relationship>,
    /// Addresses, by name.
    pub links: Map<String, Value>,
    /// Anything else.
    pub meta: Map<String, Value>,
}

impl<T: fmt::Debug> fmt::Debug for Resource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("id", &self.id)
            .field("type_", &self.type_)
            .field("attributes", &self.attributes)
            .field("relationships", &self.relationships)
            .field("links", &read::Names(&self.links))
            .field("meta", &read::Names(&self.meta))
            .finish()
    }
}

pub(super) fn from_object<T: DeserializeOwned>(object: &ResourceObject) -> Result<T, ResourceError> {
    T::deserialize(Object(object)).map_err(|mismatch| {
        ResourceError::Field(Box::new(FieldError {
            type_: read::clip(&object.type_),
            id: object.id.as_deref().map(read::clip),
            place: mismatch.place,
            problem: mismatch.problem,
            detail: mismatch.detail,
        }))
    })
}

#[derive(Clone, Copy)]
enum Slot<'de> {
    Id(&'de str),
    Type(&'de str),
    Attribute(&'de str, &'de Value),
    Relationship(&'de str, &'de RelationshipData),
}

type Entry<'de> = (Cow<'de, str>, Slot<'de>);

/// A whole resource object.
#[derive(Clone, Copy)]
struct Object<'de>(&'de ResourceObject);

impl<'de> Object<'de> {
    fn id(self) -> Option<&'de str> {
        self.0.id.as_deref()
    }

    fn type_(self) -> Option<&'de str> {
        Some(self.0.type_.as_str()).filter(|type_| !type_.is_empty())
    }

    /// The attributes, without those that JSON:API forbids because the resource itself has them.
    fn attributes(self) -> impl Iterator<Item = (&'de String, &'de Value)> {
        let (id, type_) = (self.id().is_some(), self.type_().is_some());
        self.0.attributes.iter().filter(move |(name, _)| !(id && *name == "id" || type_ && *name == "type"))
    }

    /// What a struct with these fields gets.
    fn for_fields(self, fields: &'static [&'static str]) -> Vec<Entry<'de>> {
        let own = [("id", self.id().map(Slot::Id)), ("type", self.type_().map(Slot::Type))];
        let mut entries: Vec<Entry<'de>> = own
            .into_iter()
            .filter(|(name, _)| fields.contains(name))
            .filter_map(|(name, slot)| Some((Cow::Borrowed(name), slot?)))
            .collect();
        let is_taken = |entries: &[Entry<'de>], field: &str| entries.iter().any(|(key, _)| key == field);

        let here = |field: &str| self.0.attributes.contains_key(field) || is_taken(&entries, field);
        let attributes = json::match_fields(self.attributes(), here, fields);
        entries.extend(attributes.into_iter().map(|(key, name, v)| (Cow::Borrowed(key), Slot::Attribute(name, v))));

        let relationships = &self.0.relationships;
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
        let own = [("id", self.id().map(Slot::Id)), ("type", self.type_().map(Slot::Type))];
        let mut entries: Vec<Entry<'de>> =
            own.into_iter().filter_map(|(name, slot)| Some((Cow::Borrowed(name), slot?))).collect();
        let mut taken: HashSet<Cow<'de, str>> = entries.iter().map(|(key, _)| key.clone()).collect();
        for (name, value) in self.attributes() {
            let snake = snake_case(name);
            let collides = snake != *name && self.0.attributes.contains_key(snake.as_ref());
            let key = if collides || taken.contains(&snake) { Cow::Borrowed(name.as_str()) } else { snake };
            taken.insert(key.clone());
            entries.push((key, Slot::Attribute(name, value)));
        }
        entries
    }
}

impl<'de> Deserializer<'de> for Object<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_map(Entries { entries: self.for_map().into_iter(), current: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_map(Entries { entries: self.for_fields(fields).into_iter(), current: None })
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

impl<'de> EnumAccess<'de> for Object<'de> {
    type Error = Mismatch;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Mismatch> {
        Ok((seed.deserialize(Text(&self.0.type_)).map_err(|e| e.inside("its type"))?, self))
    }
}

impl<'de> VariantAccess<'de> for Object<'de> {
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

struct Entries<'de> {
    entries: std::vec::IntoIter<Entry<'de>>,
    current: Option<Slot<'de>>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
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
        let named = |e: Mismatch, what: &str, name: &str| {
            let place = e.inside(&read::clip(name));
            Mismatch { place: format!("{what} `{}`", place.place), ..place }
        };
        match slot {
            Slot::Id(id) => seed.deserialize(Text(id)).map_err(|e| Mismatch { place: "its id".to_owned(), ..e }),
            Slot::Type(type_) => {
                seed.deserialize(Text(type_)).map_err(|e| Mismatch { place: "its type".to_owned(), ..e })
            }
            Slot::Attribute(name, value) => seed.deserialize(Json::new(value)).map_err(|e| named(e, "attribute", name)),
            Slot::Relationship(name, data) => {
                seed.deserialize(Other::from(data)).map_err(|e| named(e, "relationship", name))
            }
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// The other side of a relationship.
#[derive(Clone, Copy)]
enum Other<'de> {
    None,
    One(&'de Identifier),
    Many(&'de [Identifier]),
}

impl<'de> From<&'de RelationshipData> for Other<'de> {
    fn from(data: &'de RelationshipData) -> Self {
        match data {
            RelationshipData::Absent | RelationshipData::Null => Other::None,
            RelationshipData::One(identifier) => Other::One(identifier),
            RelationshipData::Many(identifiers) => Other::Many(identifiers),
        }
    }
}

impl<'de> IntoDeserializer<'de, Mismatch> for Other<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// `{id, type}`, or the part of it that a type asks for.
fn visit_identifier<'de, V: Visitor<'de>>(
    identifier: &'de Identifier,
    wanted: impl Fn(&str) -> bool,
    visitor: V,
) -> Result<V::Value, Mismatch> {
    let members = [("id", identifier.id.as_str()), ("type", identifier.type_.as_str())]
        .into_iter()
        .filter(|&(name, text)| wanted(name) && !(name == "type" && text.is_empty()));
    visitor.visit_map(MapDeserializer::new(members.map(|(name, text)| (name, Text(text)))))
}

macro_rules! the_id_alone {
    ($($deserialize:ident)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match self {
                Other::One(identifier) => Text(&identifier.id).$deserialize(visitor),
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Other<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self {
            Other::None => visitor.visit_unit(),
            Other::One(identifier) => visit_identifier(identifier, |_| true, visitor),
            Other::Many(identifiers) => visitor.visit_seq(SeqDeserializer::new(identifiers.iter().map(Other::One))),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self {
            Other::One(identifier) => visit_identifier(identifier, |name| fields.contains(&name), visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self {
            Other::None => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    the_id_alone! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_str deserialize_string
    }

    forward_to_deserialize_any! {
        bool f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests;
