//! A document: reading it, building it, and its resources as JSON. `related` follows relationships, and `typed`
//! deserializes resources into types.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::data_member::DataMember;
use super::error::ResourceError;
use super::error_object::ErrorObject;
use super::members;
use super::object::ResourceObject;

/// A JSON:API document. Its fields are plain data. Unknown members are ignored.
#[derive(Clone, Default, PartialEq, Serialize)]
pub struct Document {
    /// The primary data.
    #[serde(skip_serializing_if = "PrimaryData::is_absent")]
    pub data: PrimaryData,
    /// Resources to which relationships in the document lead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub included: Vec<ResourceObject>,
    /// The errors, in place of `data`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorObject>,
    /// Links by name: `self`, and `first`, `prev`, `next` and `last` of a page.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub links: Map<String, Value>,
    /// Further members, such as `{"pagination": {"page": 1, "pages": 4, "count": 31}}`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
}

/// The primary data of a document.
pub type PrimaryData = DataMember<ResourceObject>;

impl Document {
    /// A document with one resource.
    #[must_use]
    pub fn one(object: ResourceObject) -> Self {
        Document { data: PrimaryData::One(object), ..Document::default() }
    }

    /// A document with a list of resources.
    #[must_use]
    pub fn many(objects: impl IntoIterator<Item = ResourceObject>) -> Self {
        Document { data: PrimaryData::Many(objects.into_iter().collect()), ..Document::default() }
    }

    /// A document with an error: an HTTP status, and a sentence for people, such as the users of another service.
    ///
    /// ```
    /// use serde_json::json;
    /// use zc_events_protocol::resource::Document;
    /// assert_eq!(
    ///     Document::error(404, "Not found.").to_value(),
    ///     json!({"errors": [{"status": "404", "detail": "Not found."}]})
    /// );
    /// ```
    #[must_use]
    pub fn error(status: u16, detail: impl Into<String>) -> Self {
        Document { errors: vec![ErrorObject::new(status, detail)], ..Document::default() }
    }

    /// Adds a resource to `included`.
    #[must_use]
    pub fn include(mut self, object: ResourceObject) -> Self {
        self.included.push(object);
        self
    }

    /// Reads a document.
    ///
    /// Null and an empty string stand for an empty body, and are an empty document. Django REST framework without
    /// JSON:API answers `{"detail": ".."}` without `data` and `errors`: that is a document with this error. An `errors`
    /// that is one object instead of a list is one error.
    ///
    /// # Errors
    /// [`ResourceError::Malformed`] if the JSON is not a document, with the path.
    pub fn from_value(value: Value) -> Result<Self, ResourceError> {
        let mut from = match value {
            Value::Null => Map::new(),
            Value::String(text) if text.trim().is_empty() => Map::new(),
            other => members::object(other)?,
        };
        let data = match from.remove("data") {
            None => PrimaryData::Absent,
            Some(data) => PrimaryData::read(data, ResourceObject::from_value).map_err(|e| e.inside("data"))?,
        };
        let included = match from.remove("included") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(values)) => {
                members::list(values, ResourceObject::from_value).map_err(|e| e.inside("included"))?
            }
            Some(other) => return Err(ResourceError::malformed("a list", &other).inside("included")),
        };
        let links = members::side_map(&mut from, "links");
        let meta = members::side_map(&mut from, "meta");
        let errors = match from.remove("errors") {
            Some(Value::Array(values)) => values.into_iter().map(ErrorObject::from_value).collect(),
            None | Some(Value::Null) if data.is_absent() && from.contains_key("detail") => {
                vec![ErrorObject::from_value(Value::Object(from))]
            }
            None | Some(Value::Null) => Vec::new(),
            Some(other) => vec![ErrorObject::from_value(other)],
        };
        Ok(Document { data, included, errors, links, meta })
    }

    /// The document as JSON, without empty members.
    #[must_use]
    pub fn to_value(&self) -> Value {
        // Keys are strings and values are JSON, so that serializing cannot fail.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The one resource of the primary data, as JSON.
    ///
    /// # Errors
    /// As [`resource`](Self::resource), without the errors of fields.
    pub fn object(&self) -> Result<&ResourceObject, ResourceError> {
        match &self.data {
            PrimaryData::One(object) => Ok(object),
            PrimaryData::Many(objects) => Err(ResourceError::NotOne { found: objects.len() }),
            PrimaryData::Absent | PrimaryData::Null => Err(self.missing()),
        }
    }

    /// All resources of the primary data, as JSON.
    ///
    /// # Errors
    /// As [`resources`](Self::resources), without the errors of fields.
    pub fn objects(&self) -> Result<&[ResourceObject], ResourceError> {
        match &self.data {
            PrimaryData::Absent | PrimaryData::Null => Err(self.missing()),
            data => Ok(data.items()),
        }
    }

    fn missing(&self) -> ResourceError {
        match (self.errors.first(), &self.data) {
            (Some(first), _) => ResourceError::Errors { count: self.errors.len(), status: first.status_code() },
            (None, PrimaryData::Null) => ResourceError::NullData,
            (None, _) => ResourceError::NoData,
        }
    }

    /// The address of a link, which is a string or an object with `href`.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&str> {
        members::href(&self.links, name)
    }

    /// The address of the next page; `None` on the last page.
    ///
    /// ```
    /// use serde_json::json;
    /// use zc_events_protocol::resource::Document;
    /// let page = Document::from_value(json!({"data": [], "links": {"next": "/orders?page=2", "prev": null}}))?;
    /// assert_eq!((page.next_link(), page.prev_link()), (Some("/orders?page=2"), None));
    /// # Ok::<(), zc_events_protocol::resource::ResourceError>(())
    /// ```
    #[must_use]
    pub fn next_link(&self) -> Option<&str> {
        self.link("next")
    }

    /// The address of the previous page; `None` on the first page.
    #[must_use]
    pub fn prev_link(&self) -> Option<&str> {
        self.link("prev")
    }

    /// The address of the first page.
    #[must_use]
    pub fn first_link(&self) -> Option<&str> {
        self.link("first")
    }

    /// The address of the last page.
    #[must_use]
    pub fn last_link(&self) -> Option<&str> {
        self.link("last")
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Document::from_value(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("data", &self.data)
            .field("included", &self.included)
            .field("errors", &self.errors)
            .field("links", &members::Names(&self.links))
            .field("meta", &members::Names(&self.meta))
            .finish()
    }
}

#[cfg(test)]
mod tests;
