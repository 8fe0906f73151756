//! Resources without a Rust type: attributes and relationships by name, as in Python's wrapper. Nothing here fails or
//! recurses: a missing value is `None`.

use std::fmt;
use std::ops;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::document::Document;
use super::error::ResourceError;
use super::members;
use super::object::ResourceObject;
use super::related::Index;
use super::relationship::{Identifier, Relationship, RelationshipData};
use super::typed::{self, Included};

static NULL: Value = Value::Null;

/// A resource of a document, read by the names of its attributes and relationships. [`Document::remote_resource`] makes
/// it. Clones are cheap.
///
/// A name is that on the wire, or its [snake case](super::snake_case). An unknown name gives `None`, an empty list, or
/// a resource that does not [exist](RemoteResource::exists), whose names give the same again. Circular relationships do
/// no harm, because each call follows one step.
///
/// Python's wrapper has `order.name`, `order.company.name`, `order.items[0].sku` and `order.company.links.related`.
/// Here they are:
///
/// ```
/// use serde_json::json;
/// use zc_events_protocol::resource::Document;
///
/// let document = Document::from_value(json!({
///     "data": {
///         "type": "Order",
///         "id": "23131024",
///         "attributes": {"name": "Lunch", "totalCents": 123456},
///         "relationships": {
///             "company": {"data": {"type": "Company", "id": "7"}, "links": {"related": "/orders/23131024/company"}},
///             "items": {"data": [{"type": "Item", "id": "5"}]}
///         }
///     },
///     "included": [
///         {"type": "Company", "id": "7", "attributes": {"name": "Acme"}},
///         {"type": "Item", "id": "5", "attributes": {"sku": "A-1"}}
///     ]
/// }))?;
/// let order = document.remote_resource()?;
/// assert_eq!(order.text("name"), Some("Lunch"));
/// assert_eq!(order["total_cents"], 123456);
/// assert_eq!(order.related("company").text("name"), Some("Acme"));
/// assert_eq!(order.related_list("items")[0].text("sku"), Some("A-1"));
/// assert_eq!(order.related("company").link("related"), Some("/orders/23131024/company"));
/// // A missing resource does no harm.
/// assert_eq!(order.related("company").related("owner").text("name"), None);
/// # Ok::<(), zc_events_protocol::resource::ResourceError>(())
/// ```
#[derive(Clone)]
#[doc(alias = "RemoteResourceWrapper")]
#[doc(alias = "RemoteResourceListWrapper")]
pub struct RemoteResource<'a> {
    index: Arc<Index<'a>>,
    target: Target<'a>,
    /// The relationship that led here.
    via: Option<&'a Relationship>,
}

#[derive(Clone, Copy)]
enum Target<'a> {
    Missing,
    /// A relationship names the resource, and the document does not contain it.
    Named(&'a Identifier),
    Object(&'a ResourceObject),
}

impl<'a> RemoteResource<'a> {
    /// Whether there is such a resource, with or without attributes.
    #[must_use]
    pub fn exists(&self) -> bool {
        !matches!(self.target, Target::Missing)
    }

    /// Whether the document contains the resource with its attributes. A resource that a relationship names and the
    /// request did not `include` has only an id and a type.
    #[must_use]
    pub fn is_included(&self) -> bool {
        self.object().is_some()
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> Option<&'a str> {
        match self.target {
            Target::Missing => None,
            Target::Named(identifier) => Some(&identifier.id),
            Target::Object(object) => object.id.as_deref(),
        }
    }

    /// The type; also `None` if the wire has none.
    #[must_use]
    pub fn type_(&self) -> Option<&'a str> {
        let type_ = match self.target {
            Target::Missing => "",
            Target::Named(identifier) => &identifier.type_,
            Target::Object(object) => &object.type_,
        };
        Some(type_).filter(|type_| !type_.is_empty())
    }

    /// An attribute.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.object()?.attribute(name)
    }

    /// An attribute that is a string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str()
    }

    /// The resource of a relationship to one. It does not exist if the relationship is to many, or if its `data` is
    /// null or missing. The [links](RemoteResource::link) of the relationship are there in any case.
    #[must_use]
    pub fn related(&self, name: &str) -> RemoteResource<'a> {
        let via = self.object().and_then(|object| object.relation(name));
        let target = match via.map(|via| &via.data) {
            Some(RelationshipData::One(identifier)) => self.find(identifier),
            _ => Target::Missing,
        };
        RemoteResource { index: Arc::clone(&self.index), target, via }
    }

    /// All resources of a relationship: none, one or many, with or without attributes.
    #[must_use]
    pub fn related_list(&self, name: &str) -> Vec<RemoteResource<'a>> {
        let via = self.object().and_then(|object| object.relation(name));
        let identifiers = via.map(|via| via.data.items()).unwrap_or_default();
        let one = |identifier| RemoteResource { index: Arc::clone(&self.index), target: self.find(identifier), via };
        identifiers.iter().map(one).collect()
    }

    /// The address of a link: of the relationship that led here, or else of the resource itself.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&'a str> {
        let own = || members::href(&self.object()?.links, name);
        self.via.and_then(|via| members::href(&via.links, name)).or_else(own)
    }

    /// A member of `meta`.
    #[must_use]
    pub fn meta(&self, name: &str) -> Option<&'a Value> {
        self.object()?.meta.get(name)
    }

    /// The attributes as a `T`, with related resources. See [`Resource`](super::Resource) for how fields are matched.
    ///
    /// # Errors
    /// [`ResourceError::Field`] if the resource does not match `T`, [`ResourceError::NoData`] if the document does not
    /// contain it.
    pub fn attributes<T: DeserializeOwned>(&self) -> Result<T, ResourceError> {
        let object = self.object().ok_or(ResourceError::NoData)?;
        typed::from_object(object, Some(&Included::indexed(Arc::clone(&self.index))))
    }

    /// The resource as JSON, if the document contains it.
    #[must_use]
    pub fn object(&self) -> Option<&'a ResourceObject> {
        match self.target {
            Target::Object(object) => Some(object),
            Target::Missing | Target::Named(_) => None,
        }
    }

    fn find(&self, identifier: &'a Identifier) -> Target<'a> {
        self.index.find(&identifier.type_, &identifier.id).map_or(Target::Named(identifier), Target::Object)
    }
}

impl ops::Index<&str> for RemoteResource<'_> {
    type Output = Value;

    /// An attribute; null if it is missing.
    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&NULL)
    }
}

impl fmt::Debug for RemoteResource<'_> {
    /// As in Python's wrapper.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.target {
            Target::Missing => f.write_str("<missing>"),
            _ => write!(f, "<{}: {}>", self.type_().unwrap_or_default(), self.id().unwrap_or_default()),
        }
    }
}

impl Document {
    /// The one resource of the primary data, for access by name.
    ///
    /// # Errors
    /// As for [`Document::object`].
    #[doc(alias = "wrap_resource_from_response")]
    pub fn remote_resource(&self) -> Result<RemoteResource<'_>, ResourceError> {
        Ok(RemoteResource { index: Arc::new(self.index()), target: Target::Object(self.object()?), via: None })
    }

    /// All resources of the primary data, for access by name.
    ///
    /// # Errors
    /// As for [`Document::objects`].
    #[doc(alias = "wrap_resource_from_response")]
    pub fn remote_resources(&self) -> Result<Vec<RemoteResource<'_>>, ResourceError> {
        let index = Arc::new(self.index());
        let one = |object| RemoteResource { index: Arc::clone(&index), target: Target::Object(object), via: None };
        Ok(self.objects()?.iter().map(one).collect())
    }
}

#[cfg(test)]
mod tests;
