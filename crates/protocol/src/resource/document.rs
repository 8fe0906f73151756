//! A whole document: reading it, building it, and asking it for resources. Following relationships is in `related`.

use std::fmt;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::error::ResourceError;
use super::error_object::ErrorObject;
use super::object::ResourceObject;
use super::read;
use super::typed::{self, Included, Resource};

/// A JSON:API document. Its fields are plain data; members that it does not know are passed over when read.
#[derive(Clone, Default, PartialEq, Serialize)]
pub struct Document {
    /// What the document is about.
    #[serde(skip_serializing_if = "PrimaryData::is_absent")]
    pub data: PrimaryData,
    /// Resources that those in `data` lead to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub included: Vec<ResourceObject>,
    /// What went wrong, in place of `data`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorObject>,
    /// Addresses, by name: `self`, and `first`, `prev`, `next`, `last` of a page.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub links: Map<String, Value>,
    /// Anything else, such as `{"pagination": {"page": 1, "pages": 4, "count": 31}}`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
}

/// What a document is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(untagged)]
pub enum PrimaryData {
    /// There is no `data`: an empty body, errors, or `meta` alone.
    #[default]
    Absent,
    /// `data` is null: a resource was asked for that there may be, and there is none.
    Null,
    /// One resource.
    One(ResourceObject),
    /// A list of resources.
    Many(Vec<ResourceObject>),
}

impl PrimaryData {
    /// Whether there is no `data`.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, PrimaryData::Absent)
    }

    /// All resources: none, one or many.
    #[must_use]
    pub fn objects(&self) -> &[ResourceObject] {
        match self {
            PrimaryData::Absent | PrimaryData::Null => &[],
            PrimaryData::One(object) => std::slice::from_ref(object),
            PrimaryData::Many(objects) => objects,
        }
    }

    fn from_value(value: Value) -> Result<Self, ResourceError> {
        match value {
            Value::Null => Ok(PrimaryData::Null),
            Value::Array(values) => read::list(values, ResourceObject::from_value).map(PrimaryData::Many),
            one @ Value::Object(_) => ResourceObject::from_value(one).map(PrimaryData::One),
            other => Err(ResourceError::malformed("an object, a list or null", &other)),
        }
    }
}

impl Document {
    /// A document about one resource.
    #[must_use]
    pub fn one(object: ResourceObject) -> Self {
        Document { data: PrimaryData::One(object), ..Document::default() }
    }

    /// A document about a list of resources.
    #[must_use]
    pub fn many(objects: impl IntoIterator<Item = ResourceObject>) -> Self {
        Document { data: PrimaryData::Many(objects.into_iter().collect()), ..Document::default() }
    }

    /// A document with an error: an HTTP status, and a sentence for people, who may be users of another service.
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

    /// Adds a resource that those in `data` lead to.
    #[must_use]
    pub fn include(mut self, object: ResourceObject) -> Self {
        self.included.push(object);
        self
    }

    /// Reads a document.
    ///
    /// Null and empty text, which is how an empty body arrives, are an empty document. `{"detail": ".."}` without
    /// `data` and `errors`, which is how Django REST framework answers without JSON:API, is a document with that
    /// error; so is an `errors` that is one object instead of a list.
    ///
    /// # Errors
    /// [`ResourceError::Malformed`] if the JSON has no meaning as a document, with the place.
    pub fn from_value(value: Value) -> Result<Self, ResourceError> {
        let mut members = match value {
            Value::Null => Map::new(),
            Value::String(text) if text.trim().is_empty() => Map::new(),
            other => read::object(other)?,
        };
        let data = match members.remove("data") {
            None => PrimaryData::Absent,
            Some(data) => PrimaryData::from_value(data).map_err(|e| e.inside("data"))?,
        };
        let included = match members.remove("included") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(values)) => {
                read::list(values, ResourceObject::from_value).map_err(|e| e.inside("included"))?
            }
            Some(other) => return Err(ResourceError::malformed("a list", &other).inside("included")),
        };
        let links = read::side_map(&mut members, "links");
        let meta = read::side_map(&mut members, "meta");
        let errors = match members.remove("errors") {
            Some(Value::Array(values)) => values.into_iter().map(ErrorObject::from_value).collect(),
            None | Some(Value::Null) if data.is_absent() && members.contains_key("detail") => {
                vec![ErrorObject::from_value(Value::Object(members))]
            }
            None | Some(Value::Null) => Vec::new(),
            Some(other) => vec![ErrorObject::from_value(other)],
        };
        Ok(Document { data, included, errors, links, meta })
    }

    /// The document as JSON, without members that are empty.
    #[must_use]
    pub fn to_value(&self) -> Value {
        // Only text as keys and JSON as values: nothing that serialising could refuse.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The one resource that the document is about, with its attributes as a `T`. See [`Resource`] for how fields
    /// are matched.
    ///
    /// # Errors
    /// [`ResourceError::Field`] if the resource does not fit `T`; [`ResourceError::Errors`],
    /// [`ResourceError::NoData`], [`ResourceError::NullData`] or [`ResourceError::NotOne`] if there is not one.
    pub fn resource<T: DeserializeOwned>(&self) -> Result<Resource<T>, ResourceError> {
        Resource::read(self.object()?, Some(&Included::of(self)))
    }

    /// All resources that the document is about, with their attributes as a `T`; one becomes a list of one.
    ///
    /// # Errors
    /// [`ResourceError::Field`] if a resource does not fit `T`; [`ResourceError::Errors`],
    /// [`ResourceError::NoData`] or [`ResourceError::NullData`] if there are no data. An empty list is no error.
    ///
    /// ```
    /// use serde_json::{Value, json};
    /// use zc_events_protocol::resource::Document;
    /// let items = Document::from_value(json!({"data": [{"type": "Item", "id": "5"}]}))?.resources::<Value>()?;
    /// assert_eq!(items[0].id, "5");
    /// # Ok::<(), zc_events_protocol::resource::ResourceError>(())
    /// ```
    pub fn resources<T: DeserializeOwned>(&self) -> Result<Vec<Resource<T>>, ResourceError> {
        let included = Included::of(self);
        self.objects()?.iter().map(|object| Resource::read(object, Some(&included))).collect()
    }

    /// As [`resource`](Self::resource), for the `T` alone.
    ///
    /// # Errors
    /// As [`resource`](Self::resource).
    pub fn attributes<T: DeserializeOwned>(&self) -> Result<T, ResourceError> {
        typed::from_object(self.object()?, Some(&Included::of(self)))
    }

    /// As [`resources`](Self::resources), for each `T` alone.
    ///
    /// # Errors
    /// As [`resources`](Self::resources).
    pub fn attributes_list<T: DeserializeOwned>(&self) -> Result<Vec<T>, ResourceError> {
        let included = Included::of(self);
        self.objects()?.iter().map(|object| typed::from_object(object, Some(&included))).collect()
    }

    /// The one resource that the document is about, as it stands there.
    ///
    /// # Errors
    /// As [`resource`](Self::resource), but for fields.
    pub fn object(&self) -> Result<&ResourceObject, ResourceError> {
        match &self.data {
            PrimaryData::One(object) => Ok(object),
            PrimaryData::Many(objects) => Err(ResourceError::NotOne { found: objects.len() }),
            PrimaryData::Absent | PrimaryData::Null => Err(self.missing()),
        }
    }

    /// All resources that the document is about, as they stand there.
    ///
    /// # Errors
    /// As [`resources`](Self::resources), but for fields.
    pub fn objects(&self) -> Result<&[ResourceObject], ResourceError> {
        match &self.data {
            PrimaryData::Absent | PrimaryData::Null => Err(self.missing()),
            data => Ok(data.objects()),
        }
    }

    fn missing(&self) -> ResourceError {
        match (self.errors.first(), &self.data) {
            (Some(first), _) => ResourceError::Errors { count: self.errors.len(), status: first.status_code() },
            (None, PrimaryData::Null) => ResourceError::NullData,
            (None, _) => ResourceError::NoData,
        }
    }

    /// The address of a link, which is text or an object with `href`.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&str> {
        read::href(&self.links, name)
    }

    /// The address of the next page; none on the last.
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

    /// The address of the page before; none on the first.
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
            .field("links", &read::Names(&self.links))
            .field("meta", &read::Names(&self.meta))
            .finish()
    }
}

#[cfg(test)]
mod tests;
