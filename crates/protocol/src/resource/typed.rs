//! Fitting a resource object into a type. Which field gets what is in `object`, what a field gets for a relationship in
//! `other`, where relationships lead in `included`; how a single JSON value becomes a value of a type is in
//! `json`.

mod included;
mod object;
mod other;

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use self::included::Way;
use self::object::Object;
use super::error::{FieldError, ResourceError};
use super::object::ResourceObject;
use super::read;
use super::relationship::Relationship;

pub(super) use self::included::Included;

/// A resource whose attributes are a type of yours.
///
/// How a `T` that is a plain struct is filled:
/// * An attribute goes to the field of exactly its name, or else to the field that is its
///   [snake case](super::snake_case): `createdAt` and `created-at` go to `created_at`. The same holds for structs
///   inside attributes. What no field asks for is ignored, or refused where `T` has `deny_unknown_fields`.
/// * `id` and `type` are given where `T` asks for them, the id as text or parsed into a number.
/// * A relationship goes to the field of its name, if no attribute did: to one, to none as null, to many as a list. A
///   relationship without `data` is as if it were not there.
/// * What a relationship leads to is given as the field wants it: the id alone as text or a number, an
///   [`Identifier`](super::Identifier), or a struct that is filled in the same way from the resource that the document
///   includes, with that one's relationships in turn. Where the document does not include it, there are `id` and `type`
///   alone.
///
/// Where the fields are not known beforehand (maps, [`Value`], `#[serde(flatten)]`, enums with a tag), attributes are
/// given in snake case, with `id` and `type`, and without relationships. An enum without serde attributes is chosen
/// by the type of the resource: `enum Thing { Order(Order), Company(Company) }`.
///
/// Types that hold themselves (`struct Category { parent: Option<Box<Category>> }`) end where the document leads back:
/// a resource that comes again within itself, for the same struct, is given without its relationships, so that their
/// fields must be an `Option` or have `#[serde(default)]`. More than 32 levels, or 100,000 resources below one, are an
/// error.
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

impl<T: DeserializeOwned> Resource<T> {
    /// Reads a resource, with what its document includes where it is of one.
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
            .field("links", &read::Names(&self.links))
            .field("meta", &read::Names(&self.meta))
            .finish()
    }
}

/// The attributes of a resource, with what its document includes where it is of one.
pub(super) fn from_object<'de, T: DeserializeOwned>(
    object: &'de ResourceObject,
    included: Option<&Included<'de>>,
) -> Result<T, ResourceError> {
    if let Some(included) = included {
        included.begin();
    }
    T::deserialize(Object::whole(object, Way::new(included))).map_err(|mismatch| {
        let mut at = mismatch.at;
        if at.part.is_empty() && !at.pointer.is_empty() {
            // A field of the resource that is missing or unknown.
            at.pointer.insert_str(0, "/attributes");
        }
        ResourceError::Field(Box::new(FieldError {
            type_: read::clip(&object.type_),
            id: object.id.as_deref().map(read::clip),
            place: at.part,
            pointer: at.pointer,
            is_missing: mismatch.is_missing,
            problem: mismatch.problem,
            detail: mismatch.detail,
        }))
    })
}

#[cfg(test)]
mod tests;
