//! A resource with attributes of a type of the user.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::include_path::IncludePath;
use super::included::Included;
use super::resource_deserializer::ResourceDeserializer;
use crate::resource::error::{FieldError, ResourceError};
use crate::resource::error_text::clip;
use crate::resource::members;
use crate::resource::object::ResourceObject;
use crate::resource::relationship::Relationship;

/// A resource whose attributes have a type of yours.
///
/// The fields of a plain struct `T`:
/// * An attribute goes to the field of exactly its name, or else to the field that is its [snake
///   case](crate::resource::snake_case): `createdAt` and `created-at` go to `created_at`. The same applies to structs
///   inside attributes. An attribute without a field is ignored, or refused if `T` has `deny_unknown_fields`.
/// * Fields `id` and `type` get the id and the type. The id is a string, or is parsed into a number.
/// * A relationship goes to the field of its name, unless an attribute does. A relationship with null `data` is null,
///   and one to many is a list. A relationship without `data` is ignored.
/// * The type of the field decides what a relationship becomes: the id as a string or a number, an
///   [`Identifier`](crate::resource::Identifier), or a struct. A struct gets the included resource in the same way,
///   with its own relationships. If the document does not include the resource, the struct gets only `id` and `type`.
///
/// Types without known fields (maps, [`Value`], `#[serde(flatten)]`, enums with a tag) get the attributes in snake
/// case, with `id` and `type`, and without relationships. The type of the resource selects the variant of an enum
/// without serde attributes: `enum Thing { Order(Order), Company(Company) }`.
///
/// A recursive type (`struct Category { parent: Option<Box<Category>> }`) ends where the document is circular: a
/// resource that occurs again within itself, for the same struct, comes without its relationships. Their fields must be
/// an `Option` or have `#[serde(default)]`. More than 32 levels, or 100,000 resources below one, are an error.
///
/// `Debug` shows the attributes as the `Debug` of `T` does, and only the names of links and `meta`.
///
/// ```
/// use serde::Deserialize;
/// use serde_json::json;
/// use zc_events_protocol::resource::{Document, Resource};
///
/// #[derive(Deserialize)]
/// struct Order {
///     created_at: String,
///     company: Option<Company>,
///     items: Vec<u64>,
/// }
///
/// #[derive(Deserialize)]
/// struct Company {
///     name: String,
/// }
///
/// let document = Document::from_value(json!({
///     "data": {
///         "type": "Order",
///         "id": "5",
///         "attributes": {"created-at": "2016-05-01"},
///         "relationships": {
///             "company": {"data": {"type": "Company", "id": "7"}},
///             "items": {"data": [{"type": "Item", "id": "1"}, {"type": "Item", "id": "2"}]}
///         }
///     },
///     "included": [{"type": "Company", "id": "7", "attributes": {"name": "Acme"}}]
/// }))?;
/// let order: Resource<Order> = document.resource()?;
/// assert_eq!((order.type_.as_str(), order.id.as_str()), ("Order", "5"));
/// assert_eq!((order.attributes.created_at.as_str(), order.attributes.items), ("2016-05-01", vec![1, 2]));
/// assert_eq!(order.attributes.company.map(|company| company.name).as_deref(), Some("Acme"));
/// # Ok::<(), zc_events_protocol::resource::ResourceError>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Resource<T> {
    /// The id; empty if the document has none, as in a resource that does not exist yet.
    pub id: String,
    /// The type; empty if the document has none.
    pub type_: String,
    /// The attributes.
    pub attributes: T,
    /// The relationships, under their names on the wire.
    pub relationships: BTreeMap<String, Relationship>,
    /// Links by name.
    pub links: Map<String, Value>,
    /// Further members.
    pub meta: Map<String, Value>,
}

impl<T: DeserializeOwned> Resource<T> {
    /// Deserializes a resource, with the included resources of its document, if any.
    pub(super) fn read<'de>(
        object: &'de ResourceObject,
        included: Option<&Included<'de>>,
    ) -> Result<Self, ResourceError> {
        Ok(Resource {
            id: object.id.clone().unwrap_or_default(),
            type_: object.type_.clone(),
            attributes: from_object(object, included)?,
            relationships: object.relationships.clone(),
            links: object.links.clone(),
            meta: object.meta.clone(),
        })
    }
}

impl<T: fmt::Debug> fmt::Debug for Resource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("id", &self.id)
            .field("type_", &self.type_)
            .field("attributes", &self.attributes)
            .field("relationships", &self.relationships)
            .field("links", &members::Names(&self.links))
            .field("meta", &members::Names(&self.meta))
            .finish()
    }
}

/// Deserializes the attributes of a resource, with the included resources of its document, if any.
pub(in crate::resource) fn from_object<'de, T: DeserializeOwned>(
    object: &'de ResourceObject,
    included: Option<&Included<'de>>,
) -> Result<T, ResourceError> {
    if let Some(included) = included {
        included.begin();
    }
    T::deserialize(ResourceDeserializer::new(object, IncludePath::new(included))).map_err(|mismatch| {
        let mut at = mismatch.at;
        if at.part.is_empty() && !at.pointer.is_empty() {
            // A missing or unknown field of the resource.
            at.pointer.insert_str(0, "/attributes");
        }
        ResourceError::Field(Box::new(FieldError {
            type_: clip(&object.type_),
            id: object.id.as_deref().map(clip),
            location: at.part,
            pointer: at.pointer,
            is_missing: mismatch.is_missing,
            problem: mismatch.problem,
            detail: mismatch.detail,
        }))
    })
}
