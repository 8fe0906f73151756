//! The member `data` of a document and of a relationship: absent, null, one item or a list.

use serde::Serialize;
use serde_json::Value;

use super::error::ResourceError;
use super::members;

/// The member `data` of a document ([`PrimaryData`](super::PrimaryData)) or of a relationship
/// ([`RelationshipData`](super::RelationshipData)). JSON:API has no other cases.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum DataMember<T> {
    /// There is no `data`. A document has an empty body, errors, or only `meta`; a relationship has only links, for
    /// example, and its related resources are unknown.
    #[default]
    Absent,
    /// `data` is null: the resource does not exist.
    Null,
    /// One item.
    One(T),
    /// A list of items.
    Many(Vec<T>),
}

impl<T> DataMember<T> {
    /// Whether there is no `data`.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, DataMember::Absent)
    }

    /// All items: none, one or many.
    #[must_use]
    pub fn items(&self) -> &[T] {
        match self {
            DataMember::Absent | DataMember::Null => &[],
            DataMember::One(item) => std::slice::from_ref(item),
            DataMember::Many(items) => items,
        }
    }

    /// Reads `data`; `item` reads one item.
    pub(super) fn read(value: Value, item: fn(Value) -> Result<T, ResourceError>) -> Result<Self, ResourceError> {
        match value {
            Value::Null => Ok(DataMember::Null),
            Value::Array(values) => members::list(values, item).map(DataMember::Many),
            one @ Value::Object(_) => item(one).map(DataMember::One),
            other => Err(ResourceError::malformed("an object, a list or null", &other)),
        }
    }
}
