//! Fetching resources of other services: sends a request and reads the answer.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use zc_events_protocol::resource::{Document, Resource};
use zc_events_protocol::{Limits, Reply};

use super::emit::about;
use super::pending::{Pending, Read};
use super::remote_request::RemoteRequest;
use super::{Answer, EventClient, Page};
use crate::{Error, Result};

impl EventClient {
    /// Fetches the resource with this `pk` from the service that serves it, and returns its attributes as a `T`. To call a
    /// function by key, see [`EventClient::get`].
    ///
    /// `T` may have fields `id` and `type`. Attributes that are written otherwise on the wire (`created-at`, `createdAt`)
    /// go to T's snake_case field. Fields that are named after relationships get the included resources; see
    /// [`Resource`](crate::Resource). [`EventClient::remote`] has all other options of a request, and fetches documents
    /// without a type.
    ///
    /// ```no_run
    /// # use zc_events::EventClient;
    /// #[derive(serde::Deserialize)]
    /// struct Order {
    ///     name: String,
    /// }
    /// # fn main() -> zc_events::Result<()> {
    /// let client = EventClient::from_env()?;
    /// println!("Order name: {}", client.get_remote_resource::<Order>("Order", "23131024")?.name);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`RemoteRequest::fetch`].
    pub fn get_remote_resource<T: DeserializeOwned>(&self, resource: &str, pk: impl Into<Value>) -> Result<T> {
        self.remote(resource).pk(pk).fetch()
    }

    /// Fetches the resource with this `pk` and returns the document as plain JSON, with the priority that Python uses. To
    /// call a function by key, see [`EventClient::get`].
    ///
    /// Python's function returns an answer with a status of 400 or above like any other; [`RemoteRequest::fetch_any`]
    /// does that here.
    ///
    /// # Errors
    /// As for [`RemoteRequest::fetch`].
    pub fn get_remote_resource_data(&self, resource: &str, pk: impl Into<Value>) -> Result<Value> {
        const PRIORITY: u8 = 9;
        Ok(self.remote(resource).pk(pk).priority(PRIORITY).fetch_any()?.or_remote_error()?.data()?.unwrap_or_default())
    }

    /// Starts a request for a resource that a service makes for itself: with the role `service`, and the priority that
    /// Python uses. To call a function by key, see [`EventClient::call`].
    ///
    /// Python's function returns failures as answers; [`RemoteRequest::fetch_any`] does that here.
    ///
    /// ```
    /// # use zc_events::{Error, EventClient, Method, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").events_redis_url("memory://").staging_name("test").build()?;
    /// # let client = EventClient::new(settings)?;
    /// let order = serde_json::json!({"data": {"type": "Order", "attributes": {"name": "Lunch"}}});
    /// let created = client.make_service_request("Order").method(Method::Post).body(order).fetch_document();
    /// assert!(matches!(created, Err(Error::Unroutable { .. }))); // no service is running
    /// # Ok::<(), Error>(())
    /// ```
    pub fn make_service_request(&self, resource: &str) -> RemoteRequest {
        const PRIORITY: u8 = 5;
        self.remote(resource).roles(["service"]).priority(PRIORITY)
    }

    /// Starts a request for a resource. The arguments of Python's functions (`pk`, `include`, `page_size`, `user_id`,
    /// `roles`, `data`, ..) are methods of [`RemoteRequest`]. To call a function by key, see [`EventClient::call`].
    #[doc(alias = "async_resource_request")]
    #[doc(alias = "get_remote_resource_async")]
    pub fn remote(&self, resource: &str) -> RemoteRequest {
        RemoteRequest::new(self.clone(), resource)
    }
}

impl RemoteRequest {
    /// Sends the request. Wait for the answer later, with [`Pending::wait`].
    ///
    /// The request is transient: the broker drops it after the timeout, so a service that was stopped does not start with
    /// requests that no client waits for.
    ///
    /// # Errors
    /// As for [`EventClient::emit`]; and [`Error::Config`] without an `EVENTS_REDIS_URL`.
    #[doc(alias = "async_resource_request")]
    #[doc(alias = "get_remote_resource_async")]
    pub fn send(mut self) -> Result<Pending> {
        // A clone of a request that was sent is a new request.
        self.request = self.request.renewed();
        let remote = Arc::new(self);
        let RemoteRequest { client, request, timeout, .. } = &*remote;
        let tracked = client.track_request(&request.event_type());
        let sent = client.request_options(*timeout).and_then(|(options, deadline)| {
            let event = remote.to_event()?;
            let encoded = event.encode(&options)?;
            client.hand_over_request(&about(&event), &encoded, deadline)
        });
        let what = format!("the request for {}", remote.resource());
        let key = request.response_key.clone();
        Pending::of(client.clone(), what, key, tracked, sent, Arc::new(ReadAnswer { request: Arc::clone(&remote) }))
    }

    /// Sends the request and returns the attributes of the resource as a `T`.
    ///
    /// # Errors
    /// As for [`RemoteRequest::send`], [`Pending::wait`] and [`Answer::attributes`].
    pub fn fetch<T: DeserializeOwned>(self) -> Result<T> {
        self.answer()?.attributes()
    }

    /// Sends the request and returns the resource with its id, type, relationships, links and meta.
    ///
    /// # Errors
    /// As for [`RemoteRequest::fetch`].
    pub fn fetch_resource<T: DeserializeOwned>(self) -> Result<Resource<T>> {
        self.answer()?.resource()
    }

    /// Sends the request and returns the first page of a list of resources. For the other pages see
    /// [`Page::next_request`] and [`RemoteRequest::pages`].
    ///
    /// # Errors
    /// As for [`RemoteRequest::fetch`].
    pub fn fetch_page<T: DeserializeOwned>(self) -> Result<Page<T>> {
        self.answer()?.page()
    }

    /// Sends the request and returns the document, for programs that have no type for it. Its parts are read by name:
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

    /// Sends the request and returns any answer, also one with a status of 400 or above.
    ///
    /// # Errors
    /// As for [`RemoteRequest::send`] and [`Pending::wait_any`].
    pub fn fetch_any(self) -> Result<Answer> {
        self.send()?.wait_any()
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
