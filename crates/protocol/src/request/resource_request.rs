//! A request for a resource of another service, as data.

use std::fmt;

use serde_json::Value;
use uuid::Uuid;

use super::query::Query;
use crate::names::request_event_type;
use crate::{DecodeError, Method};

/// A request. `zc_events::RemoteRequest` builds and sends it.
///
/// ```
/// use zc_events_protocol::{Query, ResourceRequest};
/// let query = Query::default().with("include", "order").with("page_size", 50);
/// let request = ResourceRequest { query, ..ResourceRequest::new("OrderLineItem") };
/// assert_eq!(request.event_type(), "order_line_item_request");
/// assert_eq!(request.query_string().as_deref(), Some("include=order&page_size=50"));
/// assert!(request.response_key.starts_with("request-"));
/// ```
#[derive(Clone)]
#[must_use = "a request does nothing until it is encoded and sent"]
pub struct ResourceRequest {
    /// The id of the message.
    pub id: String,
    /// The name of the resource, such as `Order`.
    pub resource: String,
    /// The method.
    pub method: Method,
    /// The primary key; null for a list. [`ResourceRequest::encode`] refuses a key that is false in Python (an empty
    /// string, 0), because services in Python would return the whole list.
    pub pk: Value,
    /// The query.
    pub query: Query,
    /// A resource below the one that is requested.
    pub related_resource: Option<String>,
    /// A relationship of the resource: the identifiers instead of the resources.
    pub relationship: Option<String>,
    /// The user that the request is made for.
    pub user_id: Value,
    /// The roles; `service` for a request of a service itself.
    pub roles: Vec<String>,
    /// The document to create or change.
    pub body: Value,
    /// The priority, 0 to 10. zc_events sends 9, 5 or none, depending on the function.
    pub priority: Option<u8>,
    /// The key in the reply store under which the answer arrives.
    pub response_key: String,
}

impl ResourceRequest {
    /// A GET of all resources of this name, with the role `anonymous` and no priority. Its id and response key are new.
    pub fn new(resource: impl Into<String>) -> Self {
        Self {
            id: Uuid::new_v4().to_string(),
            resource: resource.into(),
            method: Method::Get,
            pk: Value::Null,
            query: Query::default(),
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

    /// The request for the page that a link leads to: this request with the query of the link. The rest of the link is
    /// ignored, because requests are not sent to URLs.
    ///
    /// ```
    /// use zc_events_protocol::ResourceRequest;
    /// let first = ResourceRequest::new("Order");
    /// let second = first.following("http://local.zerocater.com/orders?include=company&page=2&page_size=50")?;
    /// assert_eq!(second.query_string().as_deref(), Some("include=company&page=2&page_size=50"));
    /// assert_ne!(first.response_key, second.response_key);
    /// # Ok::<(), zc_events_protocol::DecodeError>(())
    /// ```
    ///
    /// # Errors
    /// [`DecodeError::BadField`] for a link without a query, and as for [`Query::parse`].
    pub fn following(&self, link: &str) -> Result<Self, DecodeError> {
        let address = link.split_once('#').map_or(link, |(address, _)| address);
        match address.split_once('?') {
            Some((_, query)) if !query.is_empty() => Ok(Self { query: Query::parse(query)?, ..self.clone().renewed() }),
            _ => Err(DecodeError::BadField { name: "link", why: "has no query, so it leads to no other page" }),
        }
    }

    /// The type of the event that the request is sent as.
    #[must_use]
    pub fn event_type(&self) -> String {
        request_event_type(&self.resource)
    }

    /// The query, encoded as Python's `urlencode` does; `None` if it is empty.
    #[must_use]
    pub fn query_string(&self) -> Option<String> {
        (!self.query.is_empty()).then(|| self.query.encode())
    }
}

impl fmt::Debug for ResourceRequest {
    /// Shows neither the body nor the query: they may contain secrets.
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
