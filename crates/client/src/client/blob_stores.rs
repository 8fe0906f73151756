//! The blob stores of a client: one for e-mails and one for index rebuilds, as the settings say. Each is opened when it is
//! first needed, so a program that stores no blobs needs no settings for them, and starts even if they are wrong.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::EventClient;
use crate::blobs::BlobStore;
use crate::settings::BlobBucket;
use crate::{Result, Settings};

/// The stores that a client has opened so far.
#[derive(Default)]
pub(super) struct BlobStores(Mutex<[Option<Arc<dyn BlobStore>>; 2]>);

impl BlobStores {
    /// Sets the store of a bucket.
    pub(super) fn set(&mut self, bucket: BlobBucket, store: Arc<dyn BlobStore>) {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)[bucket as usize] = Some(store);
    }

    /// The store of a bucket; always the same one.
    fn get(&self, bucket: BlobBucket, settings: &Settings) -> Result<Arc<dyn BlobStore>> {
        let mut stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut stores[bucket as usize];
        if let Some(store) = slot {
            return Ok(Arc::clone(store));
        }
        let store = settings.open_blob_store(bucket)?;
        Ok(Arc::clone(slot.insert(store)))
    }
}

impl fmt::Debug for BlobStores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobStores").finish_non_exhaustive()
    }
}

impl EventClient {
    /// The blob store of the bodies and attachments of e-mails, as the settings say. A receiver of e-mails fetches them
    /// here by their keys. Returns the same store each time; it connects when it is used.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zc_events::{EventClient, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").events_content_url("memory://").staging_name("test").build()?;
    /// let client = EventClient::new(settings)?;
    /// let deadline = client.settings().clock().deadline(Duration::from_secs(5));
    /// assert_eq!(client.email_blobs()?.get("2026-11-23/no/such/mail", deadline)?, None);
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config): the settings name no blob store, or are wrong.
    pub fn email_blobs(&self) -> Result<Arc<dyn BlobStore>> {
        self.inner().blob_stores.get(BlobBucket::Email, self.settings())
    }

    /// The blob store of the batches of index rebuilds, as the settings say. A receiver of batches fetches them here by
    /// their `s3_key`. Returns the same store each time; it connects when it is used.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zc_events::{EventClient, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").events_content_url("memory://").staging_name("test");
    /// let client = EventClient::new(settings.aws_indexer_bucket_name("index").build()?)?;
    /// let deadline = client.settings().clock().deadline(Duration::from_secs(5));
    /// assert_eq!(client.index_blobs()?.take("0c1b6c0e-3f5a-4e43-9a86-5b7f4a3a4a52", deadline)?, None);
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`EventClient::email_blobs`]. The bucket has no default.
    pub fn index_blobs(&self) -> Result<Arc<dyn BlobStore>> {
        self.inner().blob_stores.get(BlobBucket::Index, self.settings())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::MemoryBlobStore;
    use std::time::Duration;
    use zc_events_protocol::{Clock, SystemClock};

    #[test]
    fn a_client_has_one_store_for_each_bucket() {
        let soon = || SystemClock.deadline(Duration::from_secs(5));
        let settings = Settings::builder().broker_url("memory://").staging_name("test").events_content_url("memory://");
        let settings = settings.aws_indexer_bucket_name("index").build().unwrap();
        let stores = BlobStores::default();
        stores.get(BlobBucket::Email, &settings).unwrap().put("k", "text/plain", b"v", soon()).unwrap();
        assert!(stores.get(BlobBucket::Email, &settings).unwrap().get("k", soon()).unwrap().is_some());
        assert!(stores.get(BlobBucket::Index, &settings).unwrap().get("k", soon()).unwrap().is_none());
        assert!(BlobStores::default().get(BlobBucket::Email, &settings).unwrap().get("k", soon()).unwrap().is_none());
    }

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
