//! Builds a service: which events, notifications, calls and resources it handles.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zc_events_protocol::{Channel, names};

use super::engine::{ConsumedQueue, EngineParts, EngineState, QueueRole, Route, RouteKey, Routes};
use super::handler::{Called, erase, erase_call};
use super::handler_context::Context;
use super::handler_error::HandlerError;
use super::resource_view::ResourceView;
use super::retry::Retry;
use super::{Service, topology};
use crate::{Error, EventClient, Result};

/// A builder of a [`Service`]; see [`Service::builder`].
#[must_use = "a service does nothing until it is started"]
pub struct ServiceBuilder {
    client: EventClient,
    routes: Routes,
    retry: Retry,
    /// The route that was added last. [`ServiceBuilder::retry`] applies to it.
    last: Option<RouteKey>,
    workers: usize,
    strict: bool,
    /// The first mistake in the calls so far. `start` reports it.
    wrong: Option<String>,
}

impl fmt::Debug for ServiceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceBuilder")
            .field("client", &self.client)
            .field("workers", &self.workers)
            .field("strict", &self.strict)
            .finish_non_exhaustive()
    }
}

impl Service {
    /// A service that uses `client`'s connections for publishing, and connections of its own for consuming.
    pub fn builder(client: &EventClient) -> ServiceBuilder {
        ServiceBuilder::new(client.clone())
    }
}

impl ServiceBuilder {
    pub(super) fn new(client: EventClient) -> Self {
        let (workers, retry) = (client.settings().workers, Retry::attempts(client.settings().attempts));
        Self { client, routes: Routes::default(), retry, last: None, workers, strict: false, wrong: None }
    }

    /// Handles events of a type. The payload `T` is made from the keyword arguments
    /// without `task_id`; positional ones are in [`Context::args`]. A payload that does not
    /// fit goes to the dead letters.
    ///
    /// The event is acknowledged after the handler. When the handler fails or panics, it is
    /// tried again as [`ServiceBuilder::retry`] says. One that was completed is not handled
    /// again by this process; it may be, by another or after a crash, unless `EVENTS_DEDUP` is `store`.
    pub fn on<T, F>(self, event_type: impl Into<String>, handler: F) -> Self
    where
        T: DeserializeOwned,
        F: Fn(&Context, T) -> Result<(), HandlerError> + Send + Sync + 'static,
    {
        self.route(RouteKey::Event(event_type.into()), Route::Event { handler: erase(handler), retry: None })
    }

    /// Answers calls of a function by its key, made by [`EventClient::get`] and its like, or Python's. The payload `T`
    /// is made from the call's data; method and headers are in [`Context::call`].
    ///
    /// What the function returns is the answer, and so is its failure: with the type and the text of a
    /// [`HandlerError::with_status`], and else without any detail. If no caller waits
    /// for the answer (`no_wait`), a failure is tried again as one of an event.
    ///
    /// ```
    /// # use zc_events::{Context, Error, EventClient, HandlerError, Service, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").events_redis_url("memory://").staging_name("test").service_name("sums").build()?;
    /// # let client = EventClient::new(settings)?;
    /// let service = Service::builder(&client)
    ///     .call("divide", |_: &Context, (x, y): (i64, i64)| {
    ///         x.checked_div(y).ok_or_else(|| HandlerError::with_status(400, "division by zero").kind("ZeroDivisionError"))
    ///     })
    ///     .start()?;
    /// let Err(Error::Call { failure, .. }) = client.get("divide").data((1, 0))?.fetch::<i64>() else { panic!() };
    /// assert_eq!(failure.errors()[0].kind, "ZeroDivisionError");
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    pub fn call<T, R, F>(self, key: impl Into<String>, function: F) -> Self
    where
        T: DeserializeOwned,
        R: Serialize,
        F: Fn(&Context, T) -> Result<R, HandlerError> + Send + Sync + 'static,
    {
        self.route(RouteKey::Event(key.into()), Route::Call { handler: erase_call(function), retry: None })
    }

    /// Answers the calls of a key with a view, as Python's `JOB_MAPPING` does where a viewset stands in it: the headers of
    /// the call say what is asked for (`pk`, `query_string`, `related_resource`, `relationship`, `user_id`, `roles`), the
    /// data is the body, and which method it goes to is as for [`resource`](ServiceBuilder::resource). The caller gets the
    /// document as the call's data, null for 204, and for a refusal JSON:API errors.
    ///
    /// ```
    /// # use serde_json::json;
    /// # use zc_events::{Context, Document, Error, EventClient, ResourceObject, ResourceView, Service, Settings, Value, ViewResult};
    /// # let settings = Settings::builder().broker_url("memory://").events_redis_url("memory://").staging_name("test").service_name("orders").build()?;
    /// # let client = EventClient::new(settings)?;
    /// struct Orders;
    ///
    /// impl ResourceView for Orders {
    ///     fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
    ///         Ok(Document::one(ResourceObject::new("Order", pk)).into())
    ///     }
    /// }
    ///
    /// let service = Service::builder(&client).call_view("orders", Orders).start()?;
    /// let order: Value = client.get("orders").headers(json!({"pk": "5"}))?.fetch()?;
    /// assert_eq!(order["data"]["id"], "5");
    /// let Err(Error::Call { failure, .. }) = client.post("orders").fetch::<Value>() else { panic!() };
    /// assert_eq!(failure.errors()[0].message, "Method \"POST\" not allowed.");
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    #[doc(alias = "JOB_MAPPING")]
    pub fn call_view(self, key: impl Into<String>, view: impl ResourceView + 'static) -> Self {
        self.route(RouteKey::Event(key.into()), Route::Call { handler: Called::View(Box::new(view)), retry: None })
    }

    /// Handles notifications of a type: of one channel, or, with `None`, of all that have no handler of their own,
    /// those whose channel [is not told](Context::channel) among them. Celery's router of the Python library never
    /// tells; the client's `emit_microservice_email_notification` and its like do. A notification and an event of the
    /// same type are two things.
    ///
    /// They arrive in a queue of their own, `<service>-notifications`, without priorities. It is declared and bound to
    /// the notifications exchange only by services that have such a handler; `EVENTS_PREFETCH` of them are held beside
    /// the events. What becomes of them is what becomes of [events](ServiceBuilder::on), with the same workers,
    /// quarantine and dead letters; the queues in which they wait for another attempt are
    /// `<service>-notifications.retry.<delay>`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zc_events::{Channel, Context, Event, EventClient, Service, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").staging_name("test").service_name("mails").build()?;
    /// # let client = EventClient::new(settings)?;
    /// #[derive(serde::Deserialize)]
    /// struct Mail {
    ///     to: Vec<String>,
    /// }
    ///
    /// let (sent, mails) = std::sync::mpsc::channel();
    /// let service = Service::builder(&client)
    ///     .on_notification(Channel::Email, "order_shipped", move |_: &Context, mail: Mail| Ok(sent.send(mail.to)?))
    ///     .start()?;
    /// client.notify(Channel::Email, &Event::new("order_shipped").set("to", ["a@b.c"])?)?;
    /// assert_eq!(mails.recv_timeout(Duration::from_secs(5)), Ok(vec!["a@b.c".to_owned()]));
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    pub fn on_notification<T, F>(
        self,
        channel: impl Into<Option<Channel>>,
        event_type: impl Into<String>,
        handler: F,
    ) -> Self
    where
        T: DeserializeOwned,
        F: Fn(&Context, T) -> Result<(), HandlerError> + Send + Sync + 'static,
    {
        let key = RouteKey::Notification(channel.into(), event_type.into());
        self.route(key, Route::Event { handler: erase(handler), retry: None })
    }

    /// When the event, the notification or the call named last is tried again after its handler failed (a call: if
    /// no caller waits for its answer). Named before any event, it holds for all that have no policy of their own, in
    /// place of `EVENTS_ATTEMPTS`.
    ///
    /// ```
    /// # use zc_events::{Context, EventClient, HandlerError, Retry, Service, Settings, Value};
    /// # let settings = Settings::builder().broker_url("memory://").staging_name("test").service_name("mails").build()?;
    /// # let client = EventClient::new(settings)?;
    /// let service = Service::builder(&client)
    ///     .on("order_created", |_: &Context, _: Value| Err(HandlerError::new("the mail server is down")))
    ///     .retry(Retry::attempts(10))
    ///     .start()?;
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    pub fn retry(mut self, retry: Retry) -> Self {
        match self.last.as_ref().map(|last| self.routes.get_mut(last)) {
            None => self.retry = retry,
            Some(Some(Route::Event { retry: policy, .. } | Route::Call { retry: policy, .. })) => *policy = Some(retry),
            Some(_) => {
                let wrong = "`retry` follows a resource: a request that fails is answered, not tried again";
                self.wrong = Some(wrong.to_owned());
            }
        }
        self
    }

    /// Serves a resource: answers what other services ask with
    /// [`EventClient::remote`](crate::EventClient::remote), or Python's `get_remote_resource`.
    #[doc(alias = "handle_request_event")]
    pub fn resource(self, resource: &str, view: impl ResourceView + 'static) -> Self {
        let route = Route::Resource { name: resource.to_owned(), view: Box::new(view) };
        self.route(RouteKey::Event(names::request_event_type(resource)), route)
    }

    /// How many handlers run at once; `EVENTS_WORKERS` unless set, at least 1. One more
    /// worker only answers requests, so that a handler can ask its own service.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Makes it an error when the service's queue exists with other arguments. Otherwise
    /// it is used as it is, and a warning says what differs.
    pub fn strict_topology(mut self) -> Self {
        self.strict = true;
        self
    }

    fn route(mut self, key: RouteKey, route: Route) -> Self {
        if !self.routes.add(&key, route) {
            let (RouteKey::Event(event_type) | RouteKey::Notification(_, event_type)) = &key;
            self.wrong = Some(format!("`{event_type}` has two handlers"));
        }
        self.last = Some(key);
        self
    }

    /// Declares what is missing, begins to consume, and returns. What is wrong with the
    /// connection or the topology shows here; what goes wrong later is mended by itself.
    ///
    /// # Errors
    /// [`Error::Config`]: no `SERVICE_NAME`, or an event type with two handlers.
    /// [`Error::Unavailable`], [`Error::Rejected`], [`Error::Timeout`].
    pub fn start(self) -> Result<Service> {
        Service::start(Arc::new(self.build()?))
    }

    /// What the service's threads are to share, none of which runs yet.
    pub(super) fn build(self) -> Result<EngineState> {
        let settings = self.client.settings();
        if let Some(wrong) = self.wrong {
            return Err(Error::config(wrong));
        }
        let service = settings.service_name.clone().ok_or_else(|| {
            Error::config(
                "SERVICE_NAME is not set: events arrive in the queue `<service>-events`, so a service needs it",
            )
        })?;
        if self.routes.answer_any() {
            // Answers need the store; better now than at the first request.
            self.client.inner().store()?;
        }
        let (queue, quarantine) = (names::events_queue(&service), names::quarantine_queue(&service));
        let mut queues = vec![
            ConsumedQueue::new(queue, settings.prefetch, QueueRole::Events),
            ConsumedQueue::new(quarantine, 1, QueueRole::Quarantine),
        ];
        let mut topology = topology::of_events(settings, &service);
        if self.routes.has_notifications() {
            topology = topology::with_notifications(topology, settings, &service);
            let queue = names::notifications_queue(&service);
            queues.push(ConsumedQueue::new(queue, settings.prefetch, QueueRole::Notifications));
        }
        topology.strict = self.strict;
        Ok(EngineState::new(EngineParts {
            service,
            topology: settings.fitted(topology),
            queues,
            routes: self.routes,
            retry: self.retry,
            workers: self.workers,
            client: self.client,
        }))
    }
}
