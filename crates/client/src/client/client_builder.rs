//! The builder of a client: settings, and the program's own broker, stores, clock and observers.

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

/// A builder of an [`EventClient`]; see [`EventClient::builder`].
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

impl EventClient {
    /// A builder of a client, for programs that bring observers, a broker, a reply store, blob stores or a clock of their
    /// own. The settings say how the client opens the rest.
    pub fn builder(settings: Settings) -> EventClientBuilder {
        EventClientBuilder::new(settings)
    }
}

impl EventClientBuilder {
    fn new(settings: Settings) -> Self {
        Self { settings, broker: None, reply_store: None, blob_stores: BlobStores::default() }
    }

    /// Uses this broker instead of the one in the settings. [`EventClient::close`] closes it.
    pub fn broker(mut self, broker: Arc<dyn Broker>) -> Self {
        self.broker = Some(broker);
        self
    }

    /// Uses this reply store instead of the one in the settings.
    pub fn reply_store(mut self, store: Arc<dyn ReplyStore>) -> Self {
        self.reply_store = Some(store);
        self
    }

    /// Uses this blob store for the bodies and attachments of e-mails instead of the one in the settings.
    pub fn email_blobs(mut self, store: Arc<dyn BlobStore>) -> Self {
        self.blob_stores.set(BlobBucket::Email, store);
        self
    }

    /// Uses this blob store for the batches of index rebuilds instead of the one in the settings.
    pub fn index_blobs(mut self, store: Arc<dyn BlobStore>) -> Self {
        self.blob_stores.set(BlobBucket::Index, store);
        self
    }

    /// Takes the time from this clock. The program's own broker and stores keep their clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Adds an observer, after those that are already installed.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.settings.observers.add(observer);
        self
    }

    /// Makes the client. It does not connect yet.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config); [`Error::Unavailable`](crate::Error::Unavailable) if the system
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::MemoryBlobStore;
    use std::time::Duration;
    use zc_events_protocol::SystemClock;

    #[test]
    fn a_program_can_bring_its_own_store() {
        let settings = Settings::builder().broker_url("memory://").staging_name("test").build().unwrap();
        let (emails, batches) = (MemoryBlobStore::new(), MemoryBlobStore::new());
        let client = EventClient::builder(settings).email_blobs(Arc::new(emails.clone()));
        let client = client.index_blobs(Arc::new(batches.clone())).build().unwrap();
        let deadline = SystemClock.deadline(Duration::from_secs(5));
        client.email_blobs().unwrap().put("e", "text/plain", b"v", deadline).unwrap();
        client.index_blobs().unwrap().put("i", "text/plain", b"v", deadline).unwrap();
        assert_eq!((emails.keys(), batches.keys()), (vec!["e".to_owned()], vec!["i".to_owned()]));
    }
}
