//! What a service handles, said before it starts.

use std::collections::HashMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use zc_events_protocol::names;
use zc_events_transport::{ExchangeKind, Topology};

use super::context::Context;
use super::handler::{HandlerError, erase};
use super::{ResourceView, Route, Service, Shared};
use crate::{Error, EventClient, Result};

/// A service in the making; see [`Service::builder`].
#[must_use = "a service does nothing until it is started"]
pub struct ServiceBuilder {
    client: EventClient,
    routes: HashMap<String, Route>,
    workers: usize,
    strict: bool,
    twice: Option<String>,
}

impl ServiceBuilder {
    pub(super) fn new(client: EventClient) -> Self {
        let workers = client.settings().workers;
        Self { client, routes: HashMap::new(), workers, strict: false, twice: None }
    }

    /// Handles events of a type. The payload `T` is made from the keyword arguments
    /// without `task_id`; positional ones are in [`Context::args`]. A payload that does not
    /// fit goes to the dead letters.
    ///
    /// The event is acknowledged after the handler. It may be handled twice: after a lost
    /// connection, a crash or a failure.
    pub fn on<T, F>(self, event_type: impl Into<String>, handler: F) -> Self
    where
        T: DeserializeOwned,
        F: Fn(&Context, T) -> Result<(), HandlerError> + Send + Sync + 'static,
    {
        self.route(event_type.into(), Route::Event(erase(handler)))
    }

    /// Serves a resource: answers what other services ask with
    /// [`EventClient::remote`](crate::EventClient::remote), or Python's `get_remote_resource`.
    pub fn resource(self, resource: &str, view: impl ResourceView + 'static) -> Self {
        self.route(names::request_event_type(resource), Route::Resource(Box::new(view)))
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

    fn route(mut self, event_type: String, route: Route) -> Self {
        if self.routes.insert(event_type.clone(), route).is_some() {
            self.twice = Some(event_type);
        }
        self
    }

    /// Declares what is missing, begins to consume, and returns. What is wrong with the
    /// connection or the topology shows here; what goes wrong later is mended by itself.
    ///
    /// # Errors
    /// [`Error::Config`]: no `SERVICE_NAME`, or an event type with two handlers.
    /// [`Error::Unavailable`], [`Error::Rejected`], [`Error::Timeout`].
    pub fn start(self) -> Result<Service> {
        let settings = self.client.settings();
        if let Some(event_type) = self.twice {
            return Err(Error::config(format!("`{event_type}` has two handlers")));
        }
        let service = settings.service_name.clone().ok_or_else(|| {
            Error::config(
                "SERVICE_NAME is not set: events arrive in the queue `<service>-events`, so a service needs it",
            )
        })?;
        if self.routes.values().any(|route| matches!(route, Route::Resource(_))) {
            // Answers need the store; better now than at the first request.
            self.client.inner().store()?;
        }
        let queue = names::events_queue(&service);
        let mut topology = Topology::new()
            .exchange(&settings.events_exchange, ExchangeKind::Fanout)
            .queue_with_priority(&queue, settings.queue_max_priority)
            .queue_with_priority(names::dead_letter_queue(&service), None)
            .bind(&queue, &settings.events_exchange, "");
        topology.strict = self.strict;
        Service::start(Arc::new(Shared::new(self.client, service, queue, topology, self.routes)), self.workers)
    }
}
