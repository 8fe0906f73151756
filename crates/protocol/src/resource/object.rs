//! A resource object with its attributes as JSON: its parts, building one, and finding parts by name. Deserialization
//! into types is in `typed`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::error::ResourceError;
use super::error_text::{clip, kind};
use super::relationship::Relationship;
use super::{field_names, members};

/// A resource in a document. `Debug` shows the names of attributes and not their values.
#[derive(Clone, Default, PartialEq, Serialize)]
pub struct ResourceObject {
    /// The id; `None` in a resource that does not exist yet. A number on the wire becomes a string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The type; empty if the wire has none.
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub type_: String,
    /// The attributes, under their names on the wire.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// The relationships, under their names on the wire.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub relationships: BTreeMap<String, Relationship>,
    /// Links by name, such as `self`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub links: Map<String, Value>,
    /// Further members.
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

    /// A resource that does not exist yet, for the body of a POST.
    #[must_use]
    pub fn without_id(type_: impl Into<String>) -> Self {
        ResourceObject { type_: type_.into(), ..ResourceObject::default() }
    }

    /// Adds the fields of a struct or map as attributes, and replaces attributes of the same name.
    ///
    /// `id`, `type` and the names of relationships are left out, because JSON:API keeps them elsewhere. A type that
    /// reads a resource can therefore write it too.
    ///
    /// # Errors
    /// [`ResourceError::Attributes`] if `attributes` does not serialize to an object.
    pub fn attributes<T: Serialize + ?Sized>(mut self, attributes: &T) -> Result<Self, ResourceError> {
        let refuse = |problem| ResourceError::Attributes { type_: clip(&self.type_), problem };
        match serde_json::to_value(attributes) {
            Ok(Value::Object(map)) => {
                let own = |name: &str| name == "id" || name == "type" || self.relationships.contains_key(name);
                self.attributes.extend(map.into_iter().filter(|(name, _)| !own(name)));
                Ok(self)
            }
            Ok(other) => Err(refuse(format!("expected an object, found {}", kind(&other)))),
            Err(error) => Err(refuse(error.to_string())),
        }
    }

    /// Adds a relationship, and replaces a relationship or an attribute of the same name.
    #[must_use]
    pub fn relationship(mut self, name: impl Into<String>, relationship: Relationship) -> Self {
        let name = name.into();
        self.attributes.remove(&name);
        self.relationships.insert(name, relationship);
        self
    }

    /// The attribute of that name, or else the attribute whose [snake case](super::snake_case) it is.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        field_names::lookup(self.attributes.get(name), self.attributes.iter(), name)
    }

    /// The relationship of that name, or else the relationship whose [snake case](super::snake_case) it is.
    #[must_use]
    pub fn relation(&self, name: &str) -> Option<&Relationship> {
        field_names::lookup(self.relationships.get(name), self.relationships.iter(), name)
    }

    /// The address of a link.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&str> {
        members::href(&self.links, name)
    }

    pub(super) fn from_value(value: Value) -> Result<Self, ResourceError> {
        let mut from = members::object(value)?;
        let relationships = members::map(&mut from, "relationships")?
            .into_iter()
            .map(|(name, value)| match Relationship::from_value(value) {
                Ok(relationship) => Ok((name, relationship)),
                Err(error) => Err(error.inside(&clip(&name)).inside("relationships")),
            })
            .collect::<Result<_, _>>()?;
        Ok(ResourceObject {
            id: members::id(&mut from)?,
            type_: members::type_(&mut from)?,
            attributes: members::map(&mut from, "attributes")?,
            relationships,
            links: members::side_map(&mut from, "links"),
            meta: members::side_map(&mut from, "meta"),
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
            .field("attributes", &members::Names(&self.attributes))
            .field("relationships", &self.relationships)
            .field("links", &members::Names(&self.links))
            .field("meta", &members::Names(&self.meta))
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
    fn missing_and_null_members_are_empty() {
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
    fn numbers_as_ids_become_strings() {
        assert_eq!(read(json!({"id": 23131024})).id.as_deref(), Some("23131024"));
        assert_eq!(read(json!({"id": -1})).id.as_deref(), Some("-1"));
        assert_eq!(read(json!({"id": u64::MAX})).id.as_deref(), Some("18446744073709551615"));
    }

    #[test]
    fn malformed_members_are_refused_with_their_path() {
        for (value, path) in [
            (json!({"id": true}), "`id`"),
            (json!({"type": 5}), "`type`"),
            (json!({"attributes": []}), "`attributes`"),
            (json!({"relationships": "x"}), "`relationships`"),
            (json!({"relationships": {"a-b": {"data": 5}}}), "`relationships.a-b.data`"),
        ] {
            let error = ResourceObject::from_value(value).unwrap_err().to_string();
            assert!(error.contains(path), "{error}");
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
