//! The blob stores of a client: one for e-mails and one for index rebuilds, as the settings say. Each is opened when it is
//! first needed, so a program that stores no blobs needs no settings for them, and starts even if they are wrong.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

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
    pub(super) fn get(&self, bucket: BlobBucket, settings: &Settings) -> Result<Arc<dyn BlobStore>> {
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

#[cfg(test)]
mod tests {
    use super::*;
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
}
