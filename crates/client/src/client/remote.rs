//! Asking another service for a resource.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use zc_events_protocol::resource::{Document, Resource};
use zc_events_protocol::{Limits, Method, Reply, ResourceRequest};

use super::pending::{Pending, Read};
use super::{Answer, EventClient, Page};
use crate::log_fields::EventFields;
use crate::{Error, Result};

/// A request for a resource of another service, in the making; see [`EventClient::remote`].
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
/// assert!(matches!(page, Err(Error::Unroutable { .. }))); // no service is there
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a request does nothing until it is sent or fetched"]
pub struct RemoteRequest {
    client: EventClient,
    request: ResourceRequest,
    timeout: Duration,
}

impl RemoteRequest {
    pub(super) fn new(client: EventClient, resource: &str) -> Self {
        let timeout = client.settings().timeout;
        Self { client, request: ResourceRequest::new(resource), timeout }
    }

    fn with(mut self, change: impl FnOnce(ResourceRequest) -> ResourceRequest) -> Self {
        self.request = change(self.request);
        self
    }

    /// The one with this primary key.
    pub fn pk(self, pk: impl Into<Value>) -> Self {
        self.with(|request| request.pk(pk))
    }

    /// Those with these primary keys, as `filter[id__in]`.
    pub fn pks<I>(self, pks: I) -> Self
    where
        I: IntoIterator,
        I::Item: Display,
    {
        self.with(|request| request.pks(pks))
    }

    /// What is to come along, separated by commas, as `include`.
    pub fn include(self, include: impl Display) -> Self {
        self.with(|request| request.include(include))
    }

    /// How many of a list are to come at once, as `page_size`.
    pub fn page_size(self, page_size: u32) -> Self {
        self.with(|request| request.page_size(page_size))
    }

    /// A parameter of the query.
    pub fn query_param(self, name: impl Into<String>, value: impl Display) -> Self {
        self.with(|request| request.query_param(name, value))
    }

    /// Parameters of the query.
    pub fn query_params<I, N, V>(self, params: I) -> Self
    where
        I: IntoIterator<Item = (N, V)>,
        N: Into<String>,
        V: Display,
    {
        params.into_iter().fold(self, |request, (name, value)| request.query_param(name, value))
    }

    /// The whole query, encoded, in place of all parameters so far, as Python's functions take it.
    ///
    /// # Errors
    /// [`Error::Decode`] for a query of more than 1000 parameters, which no service would take.
    pub fn query_string(mut self, query: &str) -> Result<Self> {
        let unreadable = |error| Error::decode(&format!("the query of the request for {}", self.resource()), error);
        self.request = self.request.clone().with_query_string(query).map_err(unreadable)?;
        Ok(self)
    }

    /// A resource below the one that is meant.
    pub fn related_resource(self, name: impl Into<String>) -> Self {
        self.with(|request| request.related_resource(name))
    }

    /// The relationship itself, rather than what it leads to.
    pub fn relationship(self, name: impl Into<String>) -> Self {
        self.with(|request| request.relationship(name))
    }

    /// On whose behalf.
    pub fn user(self, user_id: impl Into<Value>) -> Self {
        self.with(|request| request.user(user_id))
    }

    /// With which roles; `anonymous` unless set.
    pub fn roles<I>(self, roles: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.with(|request| request.roles(roles))
    }

    /// What is to be done; GET unless set. In Python's functions that is the argument `method`.
    pub fn method(self, method: Method) -> Self {
        self.with(|request| request.method(method))
    }

    /// The document to create or change; Python's argument `data`. A text is sent as a text, which is what services of
    /// zc_events 0.3 read.
    pub fn body(self, body: impl Into<Value>) -> Self {
        self.with(|request| request.body(body))
    }

    /// The priority in the other services' queues, 0 to 10; none unless set, as Python's
    /// `get_remote_resource`.
    pub fn priority(self, priority: u8) -> Self {
        self.with(|request| request.priority(priority))
    }

    /// How long to wait for the answer, from sending on; `EVENTS_TIMEOUT` unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends the request, to be waited for later.
    ///
    /// The request is transient: the broker drops it when its time is over, so that a
    /// stopped service does not wake up to a pile of requests nobody waits for.
    ///
    /// # Errors
    /// As for [`EventClient::emit`]; and [`Error::Config`] without an `EVENTS_REDIS_URL`.
    #[doc(alias = "async_resource_request")]
    #[doc(alias = "get_remote_resource_async")]
    pub fn send(mut self) -> Result<Pending> {
        // One that was cloned before is another request.
        self.request = self.request.renewed();
        let asked = Arc::new(self);
        let Self { client, request, timeout } = &*asked;
        let event = request.to_event();
        let metered = client.track_request(event.event_type());
        let about = EventFields {
            event_type: event.event_type(),
            task_id: Some(event.effective_task_id()),
            kwargs: event.kwargs(),
        };
        let sent = client.request_options(*timeout).and_then(|(options, deadline)| {
            let encoded = request.encode(&options)?;
            client.hand_over_request(&about, &encoded, deadline)
        });
        let what = format!("the request for {}", asked.resource());
        let key = request.response_key().to_owned();
        Pending::of(client.clone(), what, key, metered, sent, Arc::new(ReadAnswer { request: Arc::clone(&asked) }))
    }

    /// Sends the request and gives the attributes of the one resource as a `T`.
    ///
    /// # Errors
    /// As for [`RemoteRequest::send`], [`Pending::wait`] and [`Answer::attributes`].
    pub fn fetch<T: DeserializeOwned>(self) -> Result<T> {
        self.answer()?.attributes()
    }

    /// [`RemoteRequest::fetch`], with id, type, relationships, links and meta.
    ///
    /// # Errors
    /// As for [`RemoteRequest::fetch`].
    pub fn fetch_resource<T: DeserializeOwned>(self) -> Result<Resource<T>> {
        self.answer()?.resource()
    }

    /// Sends the request and gives a list of resources, the first page of it. For the others see [`Page::next_request`]
    /// and [`RemoteRequest::pages`].
    ///
    /// # Errors
    /// As for [`RemoteRequest::fetch`].
    pub fn fetch_page<T: DeserializeOwned>(self) -> Result<Page<T>> {
        self.answer()?.page()
    }

    /// Sends the request and gives the document as it is, for those who have no type for it. It is asked by names:
    ///
    /// ```no_run
    /// # use zc_events::EventClient;
    /// # fn main() -> zc_events::Result<()> {
    /// # let client = EventClient::from_env()?;
    /// let document = client.remote("Order").pk("23131024").include("company,items").fetch_document()?;
    /// let order = document.remote_resource()?;
    /// println!("{:?} of {:?}", order.text("name"), order.related("company").text("name"));
    /// for item in order.related_list("items") {
    ///     println!("{}", item["sku"]);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`RemoteRequest::fetch`].
    pub fn fetch_document(self) -> Result<Document> {
        self.answer()?.document()
    }

    /// Sends the request and gives whatever comes, answers of status 400 and above among it.
    ///
    /// # Errors
    /// As for [`RemoteRequest::send`] and [`Pending::wait_any`].
    pub fn fetch_any(self) -> Result<Answer> {
        self.send()?.wait_any()
    }

    /// The name of the resource that is asked for.
    pub(super) fn resource(&self) -> &str {
        self.request.resource_name()
    }

    /// The encoded query.
    pub(super) fn asked_query(&self) -> Option<String> {
        self.request.query_string()
    }

    /// The request for the page that a link leads to.
    pub(super) fn following(&self, link: &str) -> Result<Self> {
        let unreadable = |error| Error::decode(&format!("the link to the next page of {}", self.resource()), error);
        let request = self.request.following(link).map_err(unreadable)?;
        Ok(Self { client: self.client.clone(), request, timeout: self.timeout })
    }

    fn answer(self) -> Result<Answer, Error> {
        self.send()?.wait()
    }
}

/// Reads the answer to a request.
struct ReadAnswer {
    request: Arc<RemoteRequest>,
}

impl Read<Answer> for ReadAnswer {
    fn read(&self, bytes: &[u8], limits: &Limits) -> Result<Answer> {
        let reply = Reply::decode(bytes, limits).map_err(|error| {
            Error::decode(&format!("the answer to the request for {}", self.request.resource()), error)
        })?;
        Answer::new(Arc::clone(&self.request), reply).or_remote_error()
    }
}
