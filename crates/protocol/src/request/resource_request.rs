//! A request for a resource of another service.

use std::fmt::{self, Display};

use serde_json::Value;
use uuid::Uuid;

use super::query::Query;
use crate::names::request_event_type;
use crate::{DecodeError, Method};

/// A request, with a fresh id and response key.
///
/// ```
/// use zc_events_protocol::ResourceRequest;
/// let request = ResourceRequest::new("OrderLineItem").pks([1, 2]).include("order").page_size(50);
/// assert_eq!(request.event_type(), "order_line_item_request");
/// assert_eq!(request.query_string().as_deref(), Some("filter%5Bid__in%5D=1%2C2&include=order&page_size=50"));
/// assert!(request.response_key().starts_with("request-"));
/// ```
#[derive(Clone)]
#[must_use = "a request does nothing until it is encoded and sent"]
pub struct ResourceRequest {
    pub(super) id: String,
    pub(super) resource: String,
    pub(super) event_type: String,
    pub(super) method: Method,
    pub(super) pk: Value,
    pub(super) query: Query,
    pub(super) no_ids: bool,
    pub(super) related_resource: Option<String>,
    pub(super) relationship: Option<String>,
    pub(super) user_id: Value,
    pub(super) roles: Vec<String>,
    pub(super) body: Value,
    pub(super) priority: Option<u8>,
    pub(super) response_key: String,
}

impl ResourceRequest {
    /// A request for the whole list of a resource, such as `Order`: `GET`, the role `anonymous`, no priority.
    pub fn new(resource: impl Into<String>) -> Self {
        let resource = resource.into();
        Self {
            id: Uuid::new_v4().to_string(),
            event_type: request_event_type(&resource),
            resource,
            method: Method::Get,
            pk: Value::Null,
            query: Query::default(),
            no_ids: false,
            related_resource: None,
            relationship: None,
            user_id: Value::Null,
            roles: vec!["anonymous".to_owned()],
            body: Value::Null,
            priority: None,
            response_key: format!("request-{}", Uuid::new_v4()),
        }
    }

    /// The same request with a new id and a new response key.
    pub fn renewed(self) -> Self {
        let Self { id, response_key, .. } = Self::new("");
        Self { id, response_key, ..self }
    }

    /// Replaces the id.
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Replaces the response key.
    pub fn with_response_key(mut self, response_key: impl Into<String>) -> Self {
        self.response_key = response_key.into();
        self
    }

    /// Sets the method.
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Sets the id of the resource. [`ResourceRequest::encode`] refuses ids that are false in Python (an empty string,
    /// 0): services in Python would return the whole list.
    pub fn pk(mut self, pk: impl Into<Value>) -> Self {
        self.pk = pk.into();
        self
    }

    /// Sets several ids: the parameter `filter[id__in]`. [`ResourceRequest::encode`] refuses an empty list, for the
    /// same reason.
    pub fn pks<I>(self, pks: I) -> Self
    where
        I: IntoIterator,
        I::Item: Display,
    {
        let ids: Vec<String> = pks.into_iter().map(|pk| pk.to_string()).collect();
        let no_ids = ids.is_empty();
        Self { no_ids, ..self.query_param("filter[id__in]", ids.join(",")) }
    }

    /// Includes related resources, separated by commas, in the answer: the parameter `include`.
    pub fn include(self, include: impl Display) -> Self {
        self.query_param("include", include)
    }

    /// Sets the number of resources a page: the parameter `page_size`.
    pub fn page_size(self, page_size: u32) -> Self {
        self.query_param("page_size", page_size)
    }

    /// Sets a query parameter, and replaces an earlier value of the same name.
    pub fn query_param(mut self, name: impl Into<String>, value: impl Display) -> Self {
        self.query = self.query.with(name, value);
        self
    }

    /// Replaces all query parameters with those of an encoded query string.
    ///
    /// # Errors
    /// As for [`Query::parse`].
    pub fn with_query_string(mut self, query: &str) -> Result<Self, DecodeError> {
        self.query = Query::parse(query)?;
        Ok(self)
    }

    /// The request for the page of a link, such as the next page: the same request with the link's query. The rest of
    /// the link is ignored, because requests are not sent to an address.
    ///
    /// ```
    /// use zc_events_protocol::ResourceRequest;
    /// let first = ResourceRequest::new("Order").page_size(50).include("company");
    /// let second = first.following("http://local.zerocater.com/orders?include=company&page=2&page_size=50")?;
    /// assert_eq!(second.query_string().as_deref(), Some("include=company&page=2&page_size=50"));
    /// assert_ne!(first.response_key(), second.response_key());
    /// # Ok::<(), zc_events_protocol::DecodeError>(())
    /// ```
    ///
    /// # Errors
    /// [`DecodeError::BadField`] for a link without a query, and as for [`Query::parse`].
    pub fn following(&self, link: &str) -> Result<Self, DecodeError> {
        let address = link.split_once('#').map_or(link, |(address, _)| address);
        match address.split_once('?') {
            Some((_, query)) if !query.is_empty() => self.clone().renewed().with_query_string(query),
            _ => Err(DecodeError::BadField { name: "link", why: "has no query that leads to another page" }),
        }
    }

    /// Requests a related resource in place of the resource itself.
    pub fn related_resource(mut self, related_resource: impl Into<String>) -> Self {
        self.related_resource = Some(related_resource.into());
        self
    }

    /// Requests a relationship in place of the resource itself.
    pub fn relationship(mut self, relationship: impl Into<String>) -> Self {
        self.relationship = Some(relationship.into());
        self
    }

    /// Sets the user on whose behalf the request is sent.
    pub fn user(mut self, user_id: impl Into<Value>) -> Self {
        self.user_id = user_id.into();
        self
    }

    /// Sets the roles of the user; `service` for requests of a service itself.
    pub fn roles<I>(mut self, roles: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.roles = roles.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the document to create or change.
    pub fn body(mut self, body: impl Into<Value>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the priority, 0 to 10. zc_events sends 9, 5 or none, depending on the function.
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// The id of the message.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key of the answer in the reply store.
    #[must_use]
    pub fn response_key(&self) -> &str {
        &self.response_key
    }

    /// The event type of the message.
    #[must_use]
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The name of the resource.
    #[must_use]
    pub fn resource_name(&self) -> &str {
        &self.resource
    }

    /// The method of the request.
    #[must_use]
    pub fn http_method(&self) -> Method {
        self.method
    }

    /// The query string, encoded as by Python's `urlencode`; `None` if it is empty.
    #[must_use]
    pub fn query_string(&self) -> Option<String> {
        (!self.query.is_empty()).then(|| self.query.encode())
    }
}

impl fmt::Debug for ResourceRequest {
    /// Without the body and the query, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceRequest")
            .field("method", &self.method)
            .field("resource", &self.resource)
            .field("id", &self.id)
            .field("response_key", &self.response_key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
