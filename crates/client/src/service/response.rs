//! The answer of a view.

use std::fmt;

use serde_json::Value;
use zc_events_protocol::resource::{Document, Relationship};

use super::handler_error::HandlerError;

/// The answer of a view.
#[derive(Clone, PartialEq)]
pub struct Served {
    status: u16,
    body: Option<Value>,
}

impl fmt::Debug for Served {
    /// Leaves out the body, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Served {
    /// 200 with a document.
    #[must_use]
    pub fn ok(document: &Document) -> Self {
        Self::with_status(200, document.to_value())
    }

    /// 201 with the document of the new resource.
    #[must_use]
    pub fn created(document: &Document) -> Self {
        Self::with_status(201, document.to_value())
    }

    /// 204, without a document.
    #[must_use]
    pub fn no_content() -> Self {
        Self { status: 204, body: None }
    }

    /// Any status, with any JSON as the body.
    #[must_use]
    pub fn with_status(status: u16, body: Value) -> Self {
        Self { status, body: Some(body) }
    }

    pub(super) fn into_parts(self) -> (u16, Option<Value>) {
        (self.status, self.body)
    }
}

impl From<Document> for Served {
    fn from(document: Document) -> Self {
        Self::ok(&document)
    }
}

/// 200 with the identifiers of a relationship: `{"data": [{"type": "Item", "id": "5"}]}`.
impl From<Relationship> for Served {
    fn from(relationship: Relationship) -> Self {
        // Only text as keys and JSON as values: nothing that serialising could refuse.
        Self::with_status(200, serde_json::to_value(relationship).unwrap_or_default())
    }
}

/// The result of a view's method.
pub type ViewResult = Result<Served, HandlerError>;
