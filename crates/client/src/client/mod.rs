//! The client that a program holds. One file for each thing that it does:
//!
//! - events: `emit`; notifications: `notify`; e-mails: `send_email`; index rebuilds: `index_rebuild` and
//!   `rebuild_progress`, and the stores of their blobs: `blob_stores`;
//! - resources: `remote_request` and `fetch`, with `answer`, `page` and `pages`; functions: `call_request`;
//! - waiting for answers: `pending` and `pending_set`;
//! - the rest: `client_builder`, the ids and deadline that calls inherit from a handler in `scope`, the state of the connections
//!   in `health`.

mod answer;
mod blob_stores;
mod call_request;
mod client_builder;
mod emit;
mod fetch;
mod health;
mod index_rebuild;
mod notify;
mod page;
mod pages;
mod pending;
mod pending_set;
mod rebuild_progress;
mod remote_request;
mod scope;
mod send_email;
mod sent_request;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use zc_events_cache::ReplyStore;
use zc_events_protocol::{Clock, Deadline, EncodeOptions, Encoded, Outcome, Stage};
use zc_events_transport::{Broker, ExchangeKind, Outgoing, Receipt, Topology};

use crate::log_fields::EventFields;
use crate::observe::{Observers, TrackedRequest, WaitFor};
use crate::{Error, Result, Settings};
use blob_stores::BlobStores;
use sent_request::SentRequest;

pub use answer::Answer;
pub use call_request::CallRequest;
pub use client_builder::EventClientBuilder;
pub use emit::EmitReceipt;
pub use health::ClientHealth;
pub use index_rebuild::IndexRebuild;
pub use page::Page;
pub use pages::Pages;
pub use pending::Pending;
pub use pending_set::PendingSet;
pub use rebuild_progress::{RebuildError, RebuildProgress};
pub use remote_request::RemoteRequest;
pub(crate) use scope::Scope;

/// Services discard a request so long after its deadline, because their clocks may differ from ours.
const EXPIRES_MARGIN: Duration = Duration::from_secs(60);

/// A client of the fleet: emits events, asks other services for resources, calls their functions.
///
/// Clones share the connections, so a program keeps one client. A connection is opened when it is first needed, and again
/// after it was lost. All calls block, at most until their deadline.
///
/// ```
/// use zc_events::{EventClient, Settings};
/// let settings = Settings::builder().broker_url("memory://").staging_name("test").build()?;
/// let client = EventClient::new(settings)?;
/// # Ok::<(), zc_events::Error>(())
/// ```
#[derive(Clone)]
pub struct EventClient {
    inner: Arc<Inner>,
    scope: Option<Arc<Scope>>,
}

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) broker: Arc<dyn Broker>,
    store: Option<Arc<dyn ReplyStore>>,
    pub(crate) observers: Observers,
    blob_stores: BlobStores,
    /// Whether the exchanges for events and for notifications are known to be there.
    has_exchange: [AtomicBool; 2],
}

/// Where a message goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum To {
    Events,
    /// With this routing key.
    Notifications(&'static str),
}

impl EventClient {
    /// A client with the settings of the environment; see [`Settings::from_env`].
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn from_env() -> Result<Self> {
        Self::new(Settings::from_env()?)
    }

    /// A client with these settings. It does not connect yet.
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Unavailable`] if the system gives no thread.
    pub fn new(settings: Settings) -> Result<Self> {
        Self::builder(settings).build()
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Closes the connections. Calls made afterwards, on this client and its clones, fail
    /// with [`Error::Closed`].
    ///
    /// # Errors
    /// [`Error::Timeout`]: the broker did not answer in time and was cut off.
    pub fn close(&self, timeout: Duration) -> Result<()> {
        Ok(self.inner.broker.close(self.inner.deadline(timeout))?)
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// The same client for calls made within a handler: what it sends carries the ids, and
    /// no request of its waits beyond the deadline.
    pub(crate) fn scoped(&self, scope: Scope) -> Self {
        Self { inner: Arc::clone(&self.inner), scope: Some(Arc::new(scope.trusted())) }
    }

    /// Waits with `wait`, and tells the observers so, with the message in whose handler this client is used.
    pub(crate) fn waiting<T>(&self, what: WaitFor<'_>, deadline: Deadline, wait: impl FnOnce() -> T) -> T {
        let message = self.scope.as_ref().and_then(|scope| scope.message);
        self.inner.observers.waiting(what, message, deadline, wait)
    }

    /// Begins to track a request for the observers.
    fn track_request(&self, event_type: &str) -> TrackedRequest {
        TrackedRequest::begin(&self.inner.observers, event_type, self.inner.clock())
    }

    /// Waits for an answer under one of the keys.
    fn pop(&self, keys: &[&str], deadline: Deadline) -> Result<Option<(String, Vec<u8>)>> {
        let store = self.inner.store()?;
        let pop = || store.pop(keys, deadline);
        Ok(self.waiting(WaitFor::Reply, deadline, pop)?)
    }

    /// The answers that are there under the keys.
    fn take(&self, keys: &[&str], deadline: Deadline) -> Result<Vec<(String, Result<Vec<u8>>)>> {
        let taken = self.inner.store()?.take(keys, deadline)?;
        Ok(taken.into_iter().map(|(key, value)| (key, value.map_err(Error::from))).collect())
    }

    /// Hands over a message, waiting while the broker takes none.
    fn hand_over(&self, to: To, message: &Encoded, deadline: Deadline) -> Result<Receipt> {
        self.waiting(WaitFor::Send, deadline, || self.inner.send(to, message, deadline))
    }

    /// The deadline of a call: `after` from now, or what the handler that makes it has left.
    ///
    /// # Errors
    /// [`Error::Timeout`] with [`Stage::Begin`]: nothing is left.
    fn deadline(&self, after: Duration) -> Result<Deadline> {
        let deadline = self.inner.deadline(after);
        match self.scope.as_ref().and_then(|scope| scope.deadline) {
            Some(inherited) if inherited.has_passed(self.inner.clock()) => Err(Error::Timeout { stage: Stage::Begin }),
            Some(inherited) => Ok(deadline.min(inherited)),
            None => Ok(deadline),
        }
    }

    /// How a request with this timeout is published: transient, and it expires at the broker when its caller gives up.
    ///
    /// # Errors
    /// [`Error::Config`] without a reply store; [`Error::Timeout`] as for [`EventClient::deadline`].
    fn request_options(&self, timeout: Duration) -> Result<(EncodeOptions, Deadline)> {
        let inner = self.inner();
        inner.store()?;
        let deadline = self.deadline(timeout)?;
        let left = deadline.remaining(inner.clock());
        let options = EncodeOptions {
            persistent: false,
            expiration: Some(left.max(Duration::from_millis(1))),
            expires: inner.clock().wall().checked_add(left.saturating_add(EXPIRES_MARGIN)),
            ..self.encode_options()
        };
        Ok((options, deadline))
    }

    fn hand_over_request(&self, about: &EventFields<'_>, encoded: &Encoded, deadline: Deadline) -> Result<SentRequest> {
        log::info!("MICROSERVICE_EVENT::EMIT: Emitting {about}");
        let receipt = self.hand_over(To::Events, encoded, deadline)?;
        Ok(SentRequest { receipt, deadline, bytes: encoded.body.len() })
    }

    fn encode_options(&self) -> EncodeOptions {
        let settings = self.settings();
        let scope = self.scope.as_deref();
        EncodeOptions {
            protocol: settings.protocol,
            origin: settings.service_name.clone(),
            root_id: scope.and_then(|scope| scope.root_id.clone()),
            parent_id: scope.and_then(|scope| scope.parent_id.clone()),
            persistent: true,
            max_body: Some(settings.limits.body),
            ..EncodeOptions::default()
        }
    }
}

impl fmt::Debug for EventClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventClient").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

impl Inner {
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.settings.clock
    }

    pub(crate) fn deadline(&self, after: Duration) -> Deadline {
        self.clock().deadline(after)
    }

    pub(crate) fn store(&self) -> Result<&Arc<dyn ReplyStore>> {
        self.store.as_ref().ok_or_else(|| {
            Error::config("EVENTS_REDIS_URL is not set: answers are awaited there; set it to redis://host:6379/0, as the Python services have it")
        })
    }

    /// Hands a message to its exchange, which is declared first where it is missing.
    fn send(&self, to: To, message: &Encoded, deadline: Deadline) -> Result<Receipt> {
        let (exchange, kind, routing_key, has) = match to {
            To::Events => (&self.settings.events_exchange, ExchangeKind::Fanout, "", &self.has_exchange[0]),
            To::Notifications(key) => {
                (&self.settings.notifications_exchange, ExchangeKind::Topic, key, &self.has_exchange[1])
            }
        };
        if !has.load(Ordering::Acquire) {
            self.broker.declare(&self.settings.fitted(Topology::new().exchange(exchange, kind)), deadline)?;
            has.store(true, Ordering::Release);
        }
        let Encoded { properties, body, .. } = message;
        let outgoing = Outgoing { exchange, routing_key, mandatory: true, properties, body };
        self.broker.send(&outgoing, deadline).map_err(|error| {
            let error = Error::from(error);
            self.invalidate_exchanges(&error);
            error
        })
    }

    /// A refused message may mean that the exchange was deleted: it is declared again the next time. Of many
    /// messages at once it cannot be told which was refused; they end as a lost connection ends them.
    pub(crate) fn invalidate_exchanges(&self, error: &Error) {
        if matches!(error, Error::Rejected { .. } | Error::Unavailable { outcome: Outcome::Unknown, .. }) {
            self.has_exchange.iter().for_each(|has| has.store(false, Ordering::Release));
        }
    }
}
