//! JSON:API documents, as the Django REST framework services of a fleet write them: reading, building, and fitting
//! them into types of your own. What other formats an answer may have, and how bytes become JSON, is not known here.
//!
//! A field named after a relationship gets what the document includes ([`Resource`]); who has no type asks by names
//! ([`RemoteResource`]).
//!
//! Services differ in how exactly they keep to [JSON:API](https://jsonapi.org/format/1.0/), so reading is tolerant
//! where the meaning is clear: no `data`, `data: null`, an empty body, relationships that are null or have no `data`,
//! includes that point at one another, numbers as ids, no `type`, unknown members, and `{"detail": ".."}` in place of
//! `errors`. It refuses what has no clear meaning, with the place in the document.
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
//! No error and no `Debug` output holds a value of an attribute.

mod document;
mod error;
mod error_object;
mod fit;
mod json;
mod mismatch;
mod names;
mod object;
mod read;
mod related;
mod relationship;
mod remote;
mod typed;

pub use document::{Document, PrimaryData};
pub use error::{FieldError, ResourceError};
pub use error_object::ErrorObject;
pub use fit::{Misfit, fit};
pub use names::snake_case;
pub use object::ResourceObject;
pub use related::{Index, Linked, Related};
pub use relationship::{Identifier, Relationship, RelationshipData};
pub use remote::RemoteResource;
pub use typed::Resource;
