//! A request for a resource of another service. It travels as an event; the answer comes back
//! in the reply store.

mod query;

use std::fmt::{self, Display};

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::incoming::is_falsy;
use crate::names::request_event_type;
use crate::{DecodeError, EncodeError, EncodeOptions, Encoded, Event, Method};

pub use query::Query;

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
pub struct ResourceRequest {
    id: String,
    resource: String,
    event_type: String,
    method: Method,
    pk: Value,
    query: Query,
    no_ids: bool,
    related_resource: Option<String>,
    relationship: Option<String>,
    user: Value,
    roles: Vec<String>,
    body: Value,
    priority: Option<u8>,
    response_key: String,
}

impl ResourceRequest {
    /// Asks with `GET` and the role `anonymous` for all of a resource, such as `Order`; no priority.
    #[must_use]
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
            user: Value::Null,
            roles: vec!["anonymous".to_owned()],
            body: Value::Null,
            priority: None,
            response_key: format!("request-{}", Uuid::new_v4()),
        }
    }

    /// The same request once more, with ids of its own.
    #[must_use]
    pub fn renewed(self) -> Self {
        let Self { id, response_key, .. } = Self::new("");
        Self { id, response_key, ..self }
    }

    /// Takes another id.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Takes another response key.
    #[must_use]
    pub fn with_response_key(mut self, response_key: impl Into<String>) -> Self {
        self.response_key = response_key.into();
        self
    }

    /// What is to be done.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// The one that is meant. What Python takes for false (an empty text, 0) is refused by
    /// [`ResourceRequest::encode`]: its services would answer with all of them.
    #[must_use]
    pub fn pk(mut self, pk: impl Into<Value>) -> Self {
        self.pk = pk.into();
        self
    }

    /// The ones that are meant: the parameter `filter[id__in]`. None at all are refused by
    /// [`ResourceRequest::encode`], for the same reason.
    #[must_use]
    pub fn pks<I>(self, pks: I) -> Self
    where
        I: IntoIterator,
        I::Item: Display,
    {
        let ids: Vec<String> = pks.into_iter().map(|pk| pk.to_string()).collect();
        let no_ids = ids.is_empty();
        Self { no_ids, ..self.query_param("filter[id__in]", ids.join(",")) }
    }

    /// The related resources to send along, separated by commas: the parameter `include`.
    #[must_use]
    pub fn include(self, include: impl Display) -> Self {
        self.query_param("include", include)
    }

    /// How many a page may hold: the parameter `page_size`.
    #[must_use]
    pub fn page_size(self, page_size: u32) -> Self {
        self.query_param("page_size", page_size)
    }

    /// A parameter of the query; the same name again replaces it.
    #[must_use]
    pub fn query_param(mut self, name: impl Into<String>, value: impl Display) -> Self {
        self.query = self.query.with(name, value);
        self
    }

    /// The whole query, encoded, in place of all parameters so far.
    ///
    /// # Errors
    /// As for [`Query::parse`].
    pub fn with_query_string(mut self, query: &str) -> Result<Self, DecodeError> {
        self.query = Query::parse(query)?;
        Ok(self)
    }

    /// The request for the page that a link leads to: the same, with the link's query. Of the link's address nothing
    /// else is looked at, since requests do not travel by it.
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
            _ => Err(DecodeError::BadField { name: "link", why: "has no query that would lead to another page" }),
        }
    }

    /// A resource below the one that is meant.
    #[must_use]
    pub fn related_resource(mut self, related_resource: impl Into<String>) -> Self {
        self.related_resource = Some(related_resource.into());
        self
    }

    /// The relationship itself rather than what it leads to.
    #[must_use]
    pub fn relationship(mut self, relationship: impl Into<String>) -> Self {
        self.relationship = Some(relationship.into());
        self
    }

    /// On whose behalf.
    #[must_use]
    pub fn user(mut self, user_id: impl Into<Value>) -> Self {
        self.user = user_id.into();
        self
    }

    /// With which roles; `service` for a service's own business.
    #[must_use]
    pub fn roles<I>(mut self, roles: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.roles = roles.into_iter().map(Into::into).collect();
        self
    }

    /// The document to create or change.
    #[must_use]
    pub fn body(mut self, body: impl Into<Value>) -> Self {
        self.body = body.into();
        self
    }

    /// How urgent it is, 0 to 10. zc_events sends 9 or 5 or none, by function.
    #[must_use]
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// The id of the message.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key under which the answer is awaited.
    #[must_use]
    pub fn response_key(&self) -> &str {
        &self.response_key
    }

    /// The type of the event that it travels as.
    #[must_use]
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The name of the resource as it was given.
    #[must_use]
    pub fn resource_name(&self) -> &str {
        &self.resource
    }

    /// What is to be done.
    #[must_use]
    pub fn get_method(&self) -> Method {
        self.method
    }

    /// The query, encoded as Python's `urlencode` does; `None` where it is empty.
    #[must_use]
    pub fn query_string(&self) -> Option<String> {
        (!self.query.is_empty()).then(|| self.query.encode())
    }

    /// The event that it travels as.
    #[must_use]
    pub fn to_event(&self) -> Event {
        let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::String);
        let mut kwargs = Map::new();
        let mut put = |key: &str, value| kwargs.insert(key.to_owned(), value);
        put("method", self.method.as_str().into());
        put("user_id", self.user.clone());
        put("roles", self.roles.clone().into());
        put("pk", self.pk.clone());
        put("query_string", text(&self.query_string()));
        put("related_resource", text(&self.related_resource));
        put("body", self.body.clone());
        put("response_key", self.response_key.clone().into());
        if self.relationship.is_some() {
            put("relationship", text(&self.relationship));
        }
        let event = Event::from_kwargs(self.event_type.clone(), kwargs).with_id(self.id.clone());
        match self.priority {
            Some(priority) => event.priority(priority),
            None => event.no_priority(),
        }
    }

    /// Puts it on the wire, in protocol 1 unless told otherwise.
    ///
    /// # Errors
    /// As for [`Event::encode`]; [`EncodeError::BadName`] for an empty resource or response key, and for ids that
    /// would be answered with everything.
    pub fn encode(&self, options: &EncodeOptions) -> Result<Encoded, EncodeError> {
        if self.resource.is_empty() {
            return Err(EncodeError::BadName { what: "resource", why: "is empty" });
        }
        if self.response_key.is_empty() {
            return Err(EncodeError::BadName { what: "response key", why: "is empty" });
        }
        if self.no_ids {
            return Err(EncodeError::BadName {
                what: "list of ids",
                why: "is empty, and would be answered with everything",
            });
        }
        // A list or an object is no id at all.
        let falsy = !self.pk.is_null() && is_falsy(&self.pk) || self.pk.is_array() || self.pk.is_object();
        if falsy {
            return Err(EncodeError::BadName {
                what: "id",
                why: "is empty, zero or no id at all, and would be answered with everything",
            });
        }
        self.to_event().encode(options)
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
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_parameter_is_replaced_in_its_place() {
        let request = ResourceRequest::new("Order").query_param("a", 1).query_param("b", 2).query_param("a", 3);
        assert_eq!(request.query_string().as_deref(), Some("a=3&b=2"));
        assert_eq!(ResourceRequest::new("Order").query_string(), None);
    }

    #[test]
    fn ids_that_python_takes_for_none_are_refused() {
        let options = EncodeOptions::default();
        for pk in [json!(""), json!(0), json!(false), json!([]), json!({})] {
            assert!(ResourceRequest::new("Order").pk(pk.clone()).encode(&options).is_err(), "{pk}");
        }
        assert!(ResourceRequest::new("Order").pks(Vec::<u8>::new()).encode(&options).is_err());
        assert!(ResourceRequest::new("Order").pks(Vec::<u8>::new()).pks([1]).encode(&options).is_ok());
        assert!(ResourceRequest::new("").encode(&options).is_err());
        assert!(ResourceRequest::new("Order").with_response_key("").encode(&options).is_err());
    }

    #[test]
    fn a_link_is_followed_by_its_query_alone() {
        let request = ResourceRequest::new("Order").pks([1, 2]).user("56").priority(3);
        for link in ["https://elsewhere/x?page=2&a=%26#end", "?page=2&a=%26", "/orders?page=2&a=%26"] {
            let next = request.following(link).unwrap();
            assert_eq!(next.query_string().as_deref(), Some("page=2&a=%26"), "{link}");
            assert_eq!((next.event_type(), &next.user, next.priority), ("order_request", &json!("56"), Some(3)));
        }
        for link in ["", "/orders", "/orders?", "/orders#?page=2"] {
            assert_eq!(request.following(link).unwrap_err().reason(), "bad_field", "{link}");
        }
    }

    #[test]
    fn a_relationship_is_named_only_where_set() {
        assert!(!ResourceRequest::new("Order").to_event().kwargs().contains_key("relationship"));
        let event = ResourceRequest::new("Order").pk(1).relationship("items").to_event();
        assert_eq!(event.kwargs()["relationship"], "items");
    }

    #[test]
    fn debug_shows_no_body() {
        let request = ResourceRequest::new("Order").body("hush").query_param("token", "hush").user("hush");
        assert!(!format!("{request:?}").contains("hush"));
    }
}
