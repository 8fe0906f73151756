//! A request for a resource of another service: what it asks for. Sending it is in `fetch`.

use std::fmt::Display;
use std::time::Duration;

use serde_json::Value;
use zc_events_protocol::{EncodeError, Event, Method, Query, ResourceRequest};

use super::EventClient;
use crate::{Error, Result};

/// A request for a resource of another service; see [`EventClient::remote`].
///
/// To call a function by key instead, see [`CallRequest`](crate::CallRequest).
///
/// ```
/// # use std::time::Duration;
/// # use zc_events::{Error, EventClient, Settings};
/// # let settings = Settings::builder().broker_url("memory://").events_redis_url("memory://").staging_name("test").build()?;
/// # let client = EventClient::new(settings)?;
/// let page = client
///     .remote("Order")
///     .pks([1, 2, 3])
///     .include("order_items")
///     .user("56")
///     .roles(["customer"])
///     .timeout(Duration::from_secs(3))
///     .fetch_page::<serde_json::Value>();
/// assert!(matches!(page, Err(Error::Unroutable { .. }))); // no service is running
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a request does nothing until it is sent or fetched"]
pub struct RemoteRequest {
    pub(super) client: EventClient,
    pub(super) request: ResourceRequest,
    pub(super) timeout: Duration,
    /// Whether the list of primary keys is empty.
    has_empty_pks: bool,
}

impl RemoteRequest {
    pub(super) fn new(client: EventClient, resource: &str) -> Self {
        let timeout = client.settings().timeout;
        Self { client, request: ResourceRequest::new(resource), timeout, has_empty_pks: false }
    }

    /// Requests the resource with this primary key. Sending refuses an empty key and 0, because Python services would
    /// return the whole list.
    pub fn pk(mut self, pk: impl Into<Value>) -> Self {
        self.request.pk = pk.into();
        self
    }

    /// Requests the resources with these primary keys: the parameter `filter[id__in]`. Sending refuses an empty list, for
    /// the same reason.
    pub fn pks<I>(self, pks: I) -> Self
    where
        I: IntoIterator,
        I::Item: Display,
    {
        let pks: Vec<String> = pks.into_iter().map(|pk| pk.to_string()).collect();
        Self { has_empty_pks: pks.is_empty(), ..self.query_param("filter[id__in]", pks.join(",")) }
    }

    /// Includes related resources, separated by commas: the parameter `include`.
    pub fn include(self, include: impl Display) -> Self {
        self.query_param("include", include)
    }

    /// Sets how many resources of a list are on a page: the parameter `page_size`.
    pub fn page_size(self, page_size: u32) -> Self {
        self.query_param("page_size", page_size)
    }

    /// Sets a query parameter. It replaces an earlier parameter of the same name.
    pub fn query_param(mut self, name: impl Into<String>, value: impl Display) -> Self {
        self.request.query = self.request.query.with(name, value);
        self
    }

    /// Sets several query parameters.
    pub fn query_params<I, N, V>(self, params: I) -> Self
    where
        I: IntoIterator<Item = (N, V)>,
        N: Into<String>,
        V: Display,
    {
        params.into_iter().fold(self, |request, (name, value)| request.query_param(name, value))
    }

    /// Sets the whole query, encoded, as Python's functions take it. It replaces all earlier parameters.
    ///
    /// # Errors
    /// [`Error::Decode`] for a query of more than 1000 parameters, which no service accepts.
    pub fn query_string(mut self, query: &str) -> Result<Self> {
        let unreadable = |error| Error::decode(&format!("the query of the request for {}", self.resource()), error);
        self.request.query = Query::parse(query).map_err(unreadable)?;
        Ok(self)
    }

    /// Requests a resource below the one with the primary key.
    pub fn related_resource(mut self, name: impl Into<String>) -> Self {
        self.request.related_resource = Some(name.into());
        self
    }

    /// Requests a relationship of the resource: the identifiers instead of the resources.
    pub fn relationship(mut self, name: impl Into<String>) -> Self {
        self.request.relationship = Some(name.into());
        self
    }

    /// Sets the user that the request is made for.
    pub fn user(mut self, user_id: impl Into<Value>) -> Self {
        self.request.user_id = user_id.into();
        self
    }

    /// Sets the roles of the request; `anonymous` by default. A service uses `service` for its own requests.
    pub fn roles<I>(mut self, roles: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.request.roles = roles.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the method; GET by default. In Python's functions this is the argument `method`.
    pub fn method(mut self, method: Method) -> Self {
        self.request.method = method;
        self
    }

    /// Sets the document to create or change; Python's argument `data`. A string is sent as a string, which services of
    /// zc_events 0.3 read.
    pub fn body(mut self, body: impl Into<Value>) -> Self {
        self.request.body = body.into();
        self
    }

    /// Sets the priority in the queues of the other services, 0 to 10; none by default, as in Python's
    /// `get_remote_resource`.
    pub fn priority(mut self, priority: u8) -> Self {
        self.request.priority = Some(priority);
        self
    }

    /// Sets how long to wait for the answer, counted from sending; `EVENTS_TIMEOUT` by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The name of the requested resource.
    pub(super) fn resource(&self) -> &str {
        &self.request.resource
    }

    /// The encoded query.
    pub(super) fn encoded_query(&self) -> Option<String> {
        self.request.query_string()
    }

    /// The request for the page that a link leads to.
    pub(super) fn following(&self, link: &str) -> Result<Self> {
        let unreadable = |error| Error::decode(&format!("the link to the next page of {}", self.resource()), error);
        let request = self.request.following(link).map_err(unreadable)?;
        Ok(Self { request, ..self.clone() })
    }

    /// The event that the request is sent as.
    pub(super) fn to_event(&self) -> Result<Event> {
        if self.has_empty_pks {
            let why = "must not be empty: services would return the whole list";
            return Err(EncodeError::BadName { what: "list of ids", why }.into());
        }
        Ok(self.request.to_event()?)
    }
}
