//! Serving a resource: the trait that a program implements. `engine::invoke::view_method` says which method a request goes to.

use serde_json::json;

use super::handler_context::Context;
use super::handler_error::HandlerError;
use super::response::{Served, ViewResult};

/// What bodies are, both ways.
const MEDIA_TYPE: &str = "application/vnd.api+json";

/// A resource that a service serves. What is not implemented is answered with 405.
///
/// Which method a request goes to is as in Python's services, and every request is answered:
/// - Without a key, to [`list`](Self::list) or [`create`](Self::create). So is a request for several (`pk` a list in
///   Python): their keys are in [`Context::filter_ids`]. What Python takes for false (an empty text, 0) is no key.
/// - With a key, to [`retrieve`](Self::retrieve), [`update`](Self::update), [`partial_update`](Self::partial_update) or
///   [`destroy`](Self::destroy); where the request names a relationship, to the four methods for it, and where it names
///   a related resource, to [`related`](Self::related). A key that is neither text nor a number is 404.
/// - HEAD is answered as GET is, body and all, as Python's services do; OPTIONS by [`options`](Self::options).
///   Whatever else, and no method at all (on which Python's services fall silent), is 405.
///
/// The keys come as the caller wrote them, a number as its digits. Body, query, user and roles are in the [`Context`].
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

    /// GET of what a `related_resource` names below a key, such as the items of an order.
    ///
    /// # Errors
    /// See [`ResourceView::list`].
    fn related(&self, _context: &Context, _pk: &str, _related_resource: &str) -> ViewResult {
        Err(HandlerError::method_not_allowed("GET"))
    }

    /// GET of a relationship: which resources it names, and nothing of them. Its answer is a
    /// [`Relationship`](crate::Relationship).
    ///
    /// # Errors
    /// See [`ResourceView::list`].
    fn relationship(&self, _context: &Context, _pk: &str, _name: &str) -> ViewResult {
        Err(HandlerError::method_not_allowed("GET"))
    }

    /// PATCH of a relationship: it names what [`Context::linkage`] says from now on.
    ///
    /// # Errors
    /// See [`ResourceView::list`].
    fn replace_relationship(&self, _context: &Context, _pk: &str, _name: &str) -> ViewResult {
        Err(HandlerError::method_not_allowed("PATCH"))
    }

    /// POST to a relationship to many: it names what [`Context::linkage`] says, too.
    ///
    /// # Errors
    /// See [`ResourceView::list`].
    fn add_to_relationship(&self, _context: &Context, _pk: &str, _name: &str) -> ViewResult {
        Err(HandlerError::method_not_allowed("POST"))
    }

    /// DELETE from a relationship to many: it names what [`Context::linkage`] says no more.
    ///
    /// # Errors
    /// See [`ResourceView::list`].
    fn remove_from_relationship(&self, _context: &Context, _pk: &str, _name: &str) -> ViewResult {
        Err(HandlerError::method_not_allowed("DELETE"))
    }

    /// OPTIONS, with a key or without. Answers, unless overridden, with the name and the media type, as Django REST
    /// framework does. It leaves out `allowed_methods`, because only the view knows them.
    ///
    /// # Errors
    /// See [`ResourceView::list`].
    fn options(&self, context: &Context) -> ViewResult {
        let name = context.resource_name().unwrap_or_default();
        let about = json!({"name": name, "description": "", "renders": [MEDIA_TYPE], "parses": [MEDIA_TYPE]});
        Ok(Served::with_status(200, json!({ "data": about })))
    }
}
