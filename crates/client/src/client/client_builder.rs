//! A client in the making: what a program brings of its own.

use std::fmt;
use std::sync::Arc;

use zc_events_cache::ReplyStore;
use zc_events_protocol::Clock;
use zc_events_transport::Broker;

use super::blob_stores::BlobStores;
use super::{EventClient, Inner};
use crate::blobs::BlobStore;
use crate::settings::BlobBucket;
use crate::{Observer, Result, Settings, metrics};

/// A client in the making; see [`EventClient::builder`].
///
/// ```
/// use std::sync::Arc;
/// use zc_events::transport::memory::MemoryBroker;
/// use zc_events::{EventClient, ManualClock, Settings};
///
/// let clock = Arc::new(ManualClock::new());
/// let settings = Settings::builder().broker_url("memory://").staging_name("test").build()?;
/// let broker = Arc::new(MemoryBroker::new(clock.clone()));
/// let client = EventClient::builder(settings).clock(clock).broker(broker).build()?;
/// # Ok::<(), zc_events::Error>(())
/// ```
#[must_use = "a client is made by `build`"]
pub struct EventClientBuilder {
    settings: Settings,
    broker: Option<Arc<dyn Broker>>,
    reply_store: Option<Arc<dyn ReplyStore>>,
    blob_stores: BlobStores,
}

impl EventClientBuilder {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, broker: None, reply_store: None, blob_stores: BlobStores::default() }
    }

    /// Uses this broker in place of the one that the settings name. Close it through
    /// [`EventClient::close`].
    pub fn broker(mut self, broker: Arc<dyn Broker>) -> Self {
        self.broker = Some(broker);
        self
    }

    /// Uses this reply store in place of the one that the settings name.
    pub fn reply_store(mut self, store: Arc<dyn ReplyStore>) -> Self {
        self.reply_store = Some(store);
        self
    }

    /// Uses this blob store for the bodies and attachments of e-mails in place of the one that the settings name.
    pub fn email_blobs(mut self, store: Arc<dyn BlobStore>) -> Self {
        self.blob_stores.set(BlobBucket::Email, store);
        self
    }

    /// Uses this blob store for the batches of index rebuilds in place of the one that the settings name.
    pub fn index_blobs(mut self, store: Arc<dyn BlobStore>) -> Self {
        self.blob_stores.set(BlobBucket::Index, store);
        self
    }

    /// Takes the time from this clock. A broker and stores of the program's own keep the clock that they have.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Installs an observer, behind those that are installed already.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.settings.observers.add(observer);
        self
    }

    /// Makes the client. It connects to nothing yet.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config); [`Error::Unavailable`](crate::Error::Unavailable) where the system
    /// gives no thread.
    pub fn build(self) -> Result<EventClient> {
        let Self { settings, broker, reply_store, blob_stores } = self;
        let broker = broker.map_or_else(|| settings.open_broker(), Ok)?;
        let store = match reply_store {
            Some(store) => Some(store),
            None => settings.open_reply_store()?,
        };
        let mut observers = settings.observers.clone();
        metrics::install(&mut observers);
        let inner = Inner { settings, broker, store, observers, blob_stores, has_exchange: Default::default() };
        Ok(EventClient { inner: Arc::new(inner), scope: None })
    }
}

impl fmt::Debug for EventClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventClientBuilder")
            .field("settings", &self.settings)
            .field("has_broker", &self.broker.is_some())
            .field("has_reply_store", &self.reply_store.is_some())
            .finish_non_exhaustive()
    }
}
