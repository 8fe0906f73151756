//! Relationships of a resource: identifiers of other resources, and links. `related` finds those resources.

use std::fmt;

use serde::de::{self, Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::data_member::DataMember;
use super::error::ResourceError;
use super::members;

/// The type and id of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identifier {
    /// The id. A number on the wire becomes a string.
    #[serde(deserialize_with = "string_or_number")]
    pub id: String,
    /// The type; empty if the wire has none.
    #[serde(rename = "type", default, deserialize_with = "string_or_null", skip_serializing_if = "String::is_empty")]
    pub type_: String,
}

impl Identifier {
    /// The identifier of that type and id.
    #[must_use]
    pub fn new(type_: impl Into<String>, id: impl fmt::Display) -> Self {
        Identifier { id: id.to_string(), type_: type_.into() }
    }

    pub(super) fn from_value(value: Value) -> Result<Self, ResourceError> {
        let mut from = members::object(value)?;
        let type_ = members::type_(&mut from)?;
        match members::id(&mut from)? {
            Some(id) => Ok(Identifier { id, type_ }),
            None => Err(ResourceError::malformed("a string or a number", &Value::Null).inside("id")),
        }
    }
}

/// The related resources of a relationship.
pub type RelationshipData = DataMember<Identifier>;

/// A relationship of a resource.
#[derive(Clone, Default, PartialEq, Serialize)]
pub struct Relationship {
    /// The related resources.
    #[serde(skip_serializing_if = "RelationshipData::is_absent")]
    pub data: RelationshipData,
    /// Links by name: `self`, `related`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub links: Map<String, Value>,
    /// Further members.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
}

impl Relationship {
    /// A relationship to one resource.
    #[must_use]
    pub fn to_one(type_: impl Into<String>, id: impl fmt::Display) -> Self {
        RelationshipData::One(Identifier::new(type_, id)).into()
    }

    /// A relationship to one resource that does not exist: `"data": null`. Python's `get_remote_resource` raises
    /// `AttributeError` for a resource with such a relationship, or with one without `data`; its
    /// `get_remote_resource_data` does not.
    #[must_use]
    pub fn to_none() -> Self {
        RelationshipData::Null.into()
    }

    /// A relationship to many resources.
    ///
    /// ```
    /// use zc_events_protocol::resource::{Identifier, Relationship};
    /// let items = Relationship::to_many([5, 6].map(|id| Identifier::new("Item", id)));
    /// assert_eq!(items.data.items().len(), 2);
    /// ```
    #[must_use]
    pub fn to_many(identifiers: impl IntoIterator<Item = Identifier>) -> Self {
        RelationshipData::Many(identifiers.into_iter().collect()).into()
    }

    /// The address of a link.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&str> {
        members::href(&self.links, name)
    }

    /// A relationship that is null itself is read like one with null `data`.
    pub(super) fn from_value(value: Value) -> Result<Self, ResourceError> {
        if value.is_null() {
            return Ok(Relationship::to_none());
        }
        let mut from = members::object(value)?;
        let data = match from.remove("data") {
            None => RelationshipData::Absent,
            Some(data) => RelationshipData::read(data, Identifier::from_value).map_err(|e| e.inside("data"))?,
        };
        let links = members::side_map(&mut from, "links");
        let meta = members::side_map(&mut from, "meta");
        Ok(Relationship { data, links, meta })
    }
}

impl From<RelationshipData> for Relationship {
    fn from(data: RelationshipData) -> Self {
        Relationship { data, ..Relationship::default() }
    }
}

fn string_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Id;
    impl Visitor<'_> for Id {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string or a number")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<String, E> {
            Ok(number.to_string())
        }
    }
    deserializer.deserialize_any(Id)
}

fn string_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl<'de> Deserialize<'de> for Relationship {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Relationship::from_value(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl fmt::Debug for Relationship {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relationship")
            .field("data", &self.data)
            .field("links", &members::Names(&self.links))
            .field("meta", &members::Names(&self.meta))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn data(value: Value) -> RelationshipData {
        Relationship::from_value(value).unwrap().data
    }

    #[test]
    fn every_form_of_data_is_read() {
        assert_eq!(data(json!({"data": {"type": "Company", "id": "7"}})), Relationship::to_one("Company", 7).data);
        assert_eq!(data(json!({"data": {"type": "Company", "id": 7}})), Relationship::to_one("Company", "7").data);
        assert_eq!(data(json!({"data": []})), RelationshipData::Many(vec![]));
        assert_eq!(
            data(json!({"data": [{"type": "Item", "id": "5"}, {"id": "6"}]})),
            RelationshipData::Many(vec![Identifier::new("Item", 5), Identifier::new("", 6)])
        );
    }

    #[test]
    fn missing_data_and_null_data_differ() {
        assert_eq!(data(json!({})), RelationshipData::Absent);
        assert_eq!(data(json!({"links": {"related": "/orders/1/company"}})), RelationshipData::Absent);
        assert_eq!(data(json!({"data": null})), RelationshipData::Null);
        assert_eq!(data(json!(null)), RelationshipData::Null);
        assert_eq!(serde_json::to_value(Relationship::default()).unwrap(), json!({}));
        assert_eq!(serde_json::to_value(Relationship::to_none()).unwrap(), json!({"data": null}));
    }

    #[test]
    fn invalid_identifiers_are_refused_with_their_path() {
        let error = Relationship::from_value(json!({"data": [{"type": "Item", "id": "1"}, {"type": "Item"}]}));
        assert_eq!(
            error.unwrap_err().to_string(),
            "not a JSON:API document: `data[1].id`: expected a string or a number, found null"
        );
        assert!(Relationship::from_value(json!({"data": "7"})).is_err());
        assert!(Relationship::from_value(json!([])).is_err());
        assert!(serde_json::from_value::<Relationship>(json!(5)).is_err());
    }

    #[test]
    fn an_identifier_is_also_a_type_for_fields() {
        let read = |value| serde_json::from_value::<Identifier>(value).map_err(|e| e.to_string());
        assert_eq!(read(json!({"type": "Company", "id": "7"})), Ok(Identifier::new("Company", 7)));
        assert_eq!(read(json!({"type": null, "id": -7, "meta": {}})), Ok(Identifier::new("", "-7")));
        assert_eq!(read(json!({"id": null})).unwrap_err(), "invalid type: null, expected a string or a number");
        assert!(read(json!({"type": "Company"})).is_err());
    }

    #[test]
    fn links_are_found_by_name() {
        let relationship: Relationship =
            serde_json::from_value(json!({"links": {"related": {"href": "/c"}}, "meta": []})).unwrap();
        assert_eq!(relationship.link("related"), Some("/c"));
        assert_eq!(relationship.link("self"), None);
        assert!(relationship.meta.is_empty());
    }
}
