//! A resource object, with its attributes as JSON: what it is made of, building one, and finding its parts by name.
//! Fitting it into a type is in `typed`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::error::ResourceError;
use super::relationship::Relationship;
use super::typed::{self, Resource};
use super::{names, read};

/// A resource as a document holds it. `Debug` shows the names of its attributes and not their values.
#[derive(Clone, Default, PartialEq, Serialize)]
pub struct ResourceObject {
    /// The id; none in a resource that is yet to be created. A number on the wire becomes text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The type; empty where the wire has none.
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub type_: String,
    /// The attributes, under their names on the wire.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// The relationships, under their names on the wire.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub relationships: BTreeMap<String, Relationship>,
    /// Addresses, by name: `self`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub links: Map<String, Value>,
    /// Anything else.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
}

impl ResourceObject {
    /// A resource without attributes.
    ///
    /// ```
    /// use serde_json::json;
    /// use zc_events_protocol::resource::{Document, Relationship, ResourceObject};
    ///
    /// let order = ResourceObject::new("Order", 23131024)
    ///     .attributes(&json!({"name": "Lunch"}))?
    ///     .relationship("company", Relationship::to_one("Company", "7"));
    /// assert_eq!(
    ///     Document::one(order).to_value(),
    ///     json!({"data": {
    ///         "type": "Order",
    ///         "id": "23131024",
    ///         "attributes": {"name": "Lunch"},
    ///         "relationships": {"company": {"data": {"type": "Company", "id": "7"}}}
    ///     }})
    /// );
    /// # Ok::<(), zc_events_protocol::resource::ResourceError>(())
    /// ```
    #[must_use]
    pub fn new(type_: impl Into<String>, id: impl fmt::Display) -> Self {
        ResourceObject { id: Some(id.to_string()), ..ResourceObject::without_id(type_) }
    }

    /// A resource that is yet to be created, as the body of a POST holds it.
    #[must_use]
    pub fn without_id(type_: impl Into<String>) -> Self {
        ResourceObject { type_: type_.into(), ..ResourceObject::default() }
    }

    /// Adds the fields of a struct or map as attributes, in place of those of the same name.
    ///
    /// `id`, `type` and names of relationships are left out, so that a type that reads a resource can write it too:
    /// JSON:API has them elsewhere, in one namespace with the attributes.
    ///
    /// # Errors
    /// [`ResourceError::Attributes`] if `attributes` does not serialise to an object.
    pub fn attributes<T: Serialize + ?Sized>(mut self, attributes: &T) -> Result<Self, ResourceError> {
        let refuse = |problem| ResourceError::Attributes { type_: read::clip(&self.type_), problem };
        match serde_json::to_value(attributes) {
            Ok(Value::Object(map)) => {
                let own = |name: &str| name == "id" || name == "type" || self.relationships.contains_key(name);
                self.attributes.extend(map.into_iter().filter(|(name, _)| !own(name)));
                Ok(self)
            }
            Ok(other) => Err(refuse(format!("expected an object, found {}", read::kind(&other)))),
            Err(error) => Err(refuse(error.to_string())),
        }
    }

    /// Adds a relationship, in place of a relationship or an attribute of the same name.
    #[must_use]
    pub fn relationship(mut self, name: impl Into<String>, relationship: Relationship) -> Self {
        let name = name.into();
        self.attributes.remove(&name);
        self.relationships.insert(name, relationship);
        self
    }

    /// The attribute of that name, or else the one whose [snake case](super::snake_case) it is.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        names::lookup(self.attributes.get(name), self.attributes.iter(), name)
    }

    /// The relationship of that name, or else the one whose [snake case](super::snake_case) it is.
    #[must_use]
    pub fn relation(&self, name: &str) -> Option<&Relationship> {
        names::lookup(self.relationships.get(name), self.relationships.iter(), name)
    }

    /// The address of a link.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&str> {
        read::href(&self.links, name)
    }

    /// The attributes as a `T`, with the rest of the resource beside them. See [`Resource`] for how fields are
    /// matched. Relationships lead nowhere from here; for those into what a document includes, ask the
    /// [`Document`](super::Document).
    ///
    /// # Errors
    /// [`ResourceError::Field`] if the resource does not fit `T`.
    pub fn resource<T: DeserializeOwned>(&self) -> Result<Resource<T>, ResourceError> {
        Resource::read(self, None)
    }

    /// The attributes as a `T`, with `id`, `type` and identifiers of relationships where `T` asks for them. See
    /// [`Resource`] for how fields are matched.
    ///
    /// # Errors
    /// [`ResourceError::Field`] if the resource does not fit `T`.
    pub fn to_attributes<T: DeserializeOwned>(&self) -> Result<T, ResourceError> {
        typed::from_object(self, None)
    }

    pub(super) fn from_value(value: Value) -> Result<Self, ResourceError> {
        let mut members = read::object(value)?;
        let relationships = read::map(&mut members, "relationships")?
            .into_iter()
            .map(|(name, value)| match Relationship::from_value(value) {
                Ok(relationship) => Ok((name, relationship)),
                Err(error) => Err(error.inside(&read::clip(&name)).inside("relationships")),
            })
            .collect::<Result<_, _>>()?;
        Ok(ResourceObject {
            id: read::id(&mut members)?,
            type_: read::type_(&mut members)?,
            attributes: read::map(&mut members, "attributes")?,
            relationships,
            links: read::side_map(&mut members, "links"),
            meta: read::side_map(&mut members, "meta"),
        })
    }
}

impl<'de> Deserialize<'de> for ResourceObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ResourceObject::from_value(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl fmt::Debug for ResourceObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceObject")
            .field("id", &self.id)
            .field("type_", &self.type_)
            .field("attributes", &read::Names(&self.attributes))
            .field("relationships", &self.relationships)
            .field("links", &read::Names(&self.links))
            .field("meta", &read::Names(&self.meta))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> ResourceObject {
        ResourceObject::from_value(value).unwrap()
    }

    #[test]
    fn what_is_missing_or_null_is_empty() {
        for value in [
            json!({"type": "Order", "id": "1"}),
            json!({"type": "Order", "id": 1, "attributes": null, "relationships": null, "links": null, "meta": null}),
            json!({"type": "Order", "id": "1", "links": [], "meta": "x", "more": {"a": 1}}),
        ] {
            assert_eq!(read(value), ResourceObject::new("Order", 1));
        }
        assert_eq!(read(json!({"id": "1"})).type_, "");
        assert_eq!(read(json!({"type": "Order"})), ResourceObject::without_id("Order"));
        assert_eq!(read(json!({"id": null, "type": null})), ResourceObject::default());
    }

    #[test]
    fn numbers_as_ids_become_text() {
        assert_eq!(read(json!({"id": 23131024})).id.as_deref(), Some("23131024"));
        assert_eq!(read(json!({"id": -1})).id.as_deref(), Some("-1"));
        assert_eq!(read(json!({"id": u64::MAX})).id.as_deref(), Some("18446744073709551615"));
    }

    #[test]
    fn what_has_no_clear_meaning_is_refused_with_its_place() {
        for (value, place) in [
            (json!({"id": true}), "`id`"),
            (json!({"type": 5}), "`type`"),
            (json!({"attributes": []}), "`attributes`"),
            (json!({"relationships": "x"}), "`relationships`"),
            (json!({"relationships": {"a-b": {"data": 5}}}), "`relationships.a-b.data`"),
        ] {
            let error = ResourceObject::from_value(value).unwrap_err().to_string();
            assert!(error.contains(place), "{error}");
        }
    }

    #[test]
    fn a_type_that_reads_a_resource_can_write_it() {
        let order = json!({"id": 5, "type": "x", "name": "Lunch", "company": {"id": "7", "type": "Company"}});
        let before = ResourceObject::new("Order", 5)
            .relationship("company", Relationship::to_one("Company", 7))
            .attributes(&order)
            .unwrap();
        let after = ResourceObject::new("Order", 5)
            .attributes(&order)
            .unwrap()
            .relationship("company", Relationship::to_one("Company", 7));
        assert_eq!(before, after);
        assert_eq!(Value::Object(after.attributes), json!({"name": "Lunch"}));
    }

    #[test]
    fn attributes_must_be_an_object() {
        let error = ResourceObject::new("Order", 5).attributes(&[1, 2]).unwrap_err();
        assert_eq!(error.to_string(), "attributes for Order: expected an object, found a list");
        let keys = std::collections::HashMap::from([((1, 2), 3)]);
        let error = ResourceObject::new("Order", 5).attributes(&keys).unwrap_err();
        assert_eq!(error.to_string(), "attributes for Order: key must be a string");
    }

    #[test]
    fn parts_are_found_by_name_and_by_snake_case() {
        let order = read(json!({
            "attributes": {"created-at": 1, "createdAt": 2, "created_at": 3, "totalCents": 4},
            "relationships": {"orderItems": {"data": []}},
            "links": {"self": "/orders/5"}
        }));
        assert_eq!(order.attribute("created_at"), Some(&json!(3)));
        assert_eq!(order.attribute("createdAt"), Some(&json!(2)));
        assert_eq!(order.attribute("total_cents"), Some(&json!(4)));
        assert_eq!(order.attribute("total-cents"), None);
        assert!(order.relation("order_items").is_some());
        assert!(order.relation("items").is_none());
        assert_eq!(order.link("self"), Some("/orders/5"));
    }

    #[test]
    fn debug_shows_no_value() {
        let order =
            read(json!({"attributes": {"token": "hunter2"}, "meta": {"m": "hunter2"}, "links": {"l": "hunter2"}}));
        let debug = format!("{order:?}");
        assert!(debug.contains("token") && !debug.contains("hunter2"), "{debug}");
    }
}
