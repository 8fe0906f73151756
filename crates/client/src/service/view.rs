//! Serving a resource: which method of a view a request goes to, as the Python services
//! and Django REST framework have it, and how its result becomes an answer.

use std::fmt;

use serde_json::Value;
use zc_events_protocol::resource::Document;
use zc_events_protocol::{IncomingRequest, Method, Reply};

use super::context::Context;
use super::handle::Failed;
use super::handler::HandlerError;

/// What a view answers.
#[derive(Clone, PartialEq)]
pub struct Served {
    status: u16,
    body: Option<Value>,
}

impl fmt::Debug for Served {
    /// Without the body, which may hold secrets.
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

    /// 201 with the document of what was created.
    #[must_use]
    pub fn created(document: &Document) -> Self {
        Self::with_status(201, document.to_value())
    }

    /// 204.
    #[must_use]
    pub fn no_content() -> Self {
        Self { status: 204, body: None }
    }

    /// Any status with any JSON.
    #[must_use]
    pub fn with_status(status: u16, body: Value) -> Self {
        Self { status, body: Some(body) }
    }
}

impl From<Document> for Served {
    fn from(document: Document) -> Self {
        Self::ok(&document)
    }
}

/// The result of a view's method.
pub type ViewResult = Result<Served, HandlerError>;

/// A resource that a service serves. What is not implemented is answered with 405.
///
/// The keys come as the caller wrote them, a number as its digits. Query, body, user and
/// roles are in the [`Context`].
///
/// ```
/// use serde_json::json;
/// use zc_events::{Context, Document, HandlerError, ResourceObject, ResourceView, ViewResult};
///
/// struct Orders;
///
/// impl ResourceView for Orders {
///     fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
///         if pk != "23131024" {
///             return Err(HandlerError::not_found());
///         }
///         let order = ResourceObject::new("Order", pk).attributes(&json!({"name": "Lunch"}))?;
///         Ok(Document::one(order).into())
///     }
/// }
/// ```
pub trait ResourceView: Send + Sync {
    /// GET without a key.
    ///
    /// # Errors
    /// What the caller is answered instead; so for all methods.
    fn list(&self, _context: &Context) -> ViewResult {
        Err(HandlerError::method_not_allowed("GET"))
    }

    /// POST.
    ///
    /// # Errors
    /// See [`ResourceView::list`].
    fn create(&self, _context: &Context) -> ViewResult {
        Err(HandlerError::method_not_allowed("POST"))
    }

    /// GET with a key.
    ///
    /// # Errors
    /// See [`ResourceView::list`].
    fn retrieve(&self, _context: &Context, _pk: &str) -> ViewResult {
        Err(HandlerError::method_not_allowed("GET"))
    }

    /// PUT.
    ///
    /// # Errors
    /// See [`ResourceView::list`].
    fn update(&self, _context: &Context, _pk: &str) -> ViewResult {
        Err(HandlerError::method_not_allowed("PUT"))
    }

    /// PATCH.
    ///
    /// # Errors
    /// See [`ResourceView::list`].
    fn partial_update(&self, _context: &Context, _pk: &str) -> ViewResult {
        Err(HandlerError::method_not_allowed("PATCH"))
    }

    /// DELETE.
    ///
    /// # Errors
    /// See [`ResourceView::list`].
    fn destroy(&self, _context: &Context, _pk: &str) -> ViewResult {
        Err(HandlerError::method_not_allowed("DELETE"))
    }

    /// GET of what a `related_resource` names below a key.
    ///
    /// # Errors
    /// See [`ResourceView::list`].
    fn related(&self, _context: &Context, _pk: &str, _related_resource: &str) -> ViewResult {
        Err(HandlerError::method_not_allowed("GET"))
    }
}

/// Calls the method that the request is for.
pub(super) fn serve(view: &dyn ResourceView, context: &Context, request: &IncomingRequest) -> ViewResult {
    let pk = request.pk.as_ref().map(|pk| match pk {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let refused = || HandlerError::method_not_allowed(request.method_name.as_deref().unwrap_or("None"));
    match (request.method.ok_or_else(refused)?, pk.filter(|pk| !pk.is_empty())) {
        (Method::Get, Some(pk)) => match &request.related_resource {
            Some(name) => view.related(context, &pk, name),
            None => view.retrieve(context, &pk),
        },
        (Method::Put, Some(pk)) => view.update(context, &pk),
        (Method::Patch, Some(pk)) => view.partial_update(context, &pk),
        (Method::Delete, Some(pk)) => view.destroy(context, &pk),
        (Method::Get, None) => view.list(context),
        (Method::Post, None) => view.create(context),
        _ => Err(refused()),
    }
}

/// The answer that the caller gets. What went wrong inside is not told outside, unless
/// the view gave it a status.
pub(super) fn reply(result: Result<Served, Failed>) -> Reply {
    let served = result.unwrap_or_else(|failed| {
        let (status, detail) = match failed.error.status() {
            Some(status) => (status, failed.text),
            None => (500, "The service failed to answer.".to_owned()),
        };
        Served::with_status(status, Document::error(status, detail).to_value())
    });
    let unreadable = || Reply::empty(500);
    match served.body {
        Some(body) => Reply::new(served.status, &body).unwrap_or_else(|_| unreadable()),
        None => Reply::empty(served.status),
    }
}
