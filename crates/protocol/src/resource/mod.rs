//! JSON:API documents, as Django REST framework services of a fleet write them: reading, building, and deserialization
//! into types of your own.
//!
//! [`Resource`] fills a type: a field with the name of a relationship gets the included resource. [`RemoteResource`]
//! needs no type: it finds attributes and relationships by name.
//!
//! Services do not all keep exactly to [JSON:API](https://jsonapi.org/format/1.0/). Reading accepts everything with a
//! clear meaning: no `data`, `data: null`, an empty body, relationships that are null or have no `data`, circular
//! includes, numbers as ids, no `type`, unknown members, and `{"detail": ".."}` in place of `errors`. Everything else
//! is refused, with the path in the document.
//!
//! ```
//! use serde::Deserialize;
//! use serde_json::json;
//! use zc_events_protocol::resource::Document;
//!
//! #[derive(Deserialize)]
//! struct Order {
//!     id: u64,
//!     name: String,
//!     total_cents: i64,
//!     note: Option<String>,
//! }
//!
//! let document = Document::from_value(json!({
//!     "data": {
//!         "type": "Order",
//!         "id": "23131024",
//!         "attributes": {"name": "Café / lunch", "totalCents": 123456, "note": null},
//!         "relationships": {"company": {"data": {"type": "Company", "id": "7"}}}
//!     }
//! }))?;
//! let order: Order = document.attributes()?;
//! assert_eq!((order.id, order.total_cents), (23131024, 123456));
//! assert_eq!((order.name.as_str(), order.note), ("Café / lunch", None));
//! # Ok::<(), zc_events_protocol::resource::ResourceError>(())
//! ```
//!
//! No error and no `Debug` output contains a value of an attribute.

mod data_member;
mod deserialize;
mod document;
mod enum_variant;
mod error;
mod error_object;
mod error_text;
mod field_names;
mod members;
mod mismatch;
mod object;
mod related;
mod relationship;
mod remote_resource;
mod text_deserializer;
mod typed;
mod value_deserializer;

pub use crate::snake_case::snake_case;
pub use data_member::DataMember;
pub use deserialize::{DeserializeError, deserialize};
pub use document::{Document, PrimaryData};
pub use error::{FieldError, ResourceError};
pub use error_object::ErrorObject;
pub use object::ResourceObject;
pub use related::{Index, Linked, Related};
pub use relationship::{Identifier, Relationship, RelationshipData};
pub use remote_resource::RemoteResource;
pub use typed::Resource;
