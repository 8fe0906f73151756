//! Index rebuilds: sends all items of a kind to the service that indexes them, as stored batches with an event for each.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use zc_events_protocol::{Event, to_value};

use super::EventClient;
use super::rebuild_progress::{RebuildError, RebuildProgress};
use crate::blobs::BlobStore;
use crate::settings::BlobBucket;
use crate::{Error, Result};

/// The default number of items in a batch, which Python's callers use.
const BATCH_SIZE: usize = 50;

/// An index rebuild; see [`EventClient::index_rebuild`].
#[must_use = "an index rebuild does nothing until it is emitted"]
pub struct IndexRebuild<'a> {
    client: EventClient,
    event_type: String,
    resource_type: String,
    batch_size: usize,
    store: Option<&'a dyn BlobStore>,
    on_progress: Option<Box<dyn FnMut(RebuildProgress) + 'a>>,
}

impl EventClient {
    /// Sends all items of a kind to the service that indexes them, as Python's `emit_index_rebuild_event` does. Each batch is
    /// stored as a JSON list under a new key ([`EventClient::index_blobs`]), and an event carries the key: `meta.s3_key`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zc_events::{Context, EventClient, Service, Settings, Value};
    /// # let settings = Settings::builder().broker_url("memory://").events_content_url("memory://").staging_name("test");
    /// # let settings = settings.aws_indexer_bucket_name("index").service_name("search").build()?;
    /// let client = EventClient::new(settings)?;
    /// // The service that indexes the items takes each batch from the blob store.
    /// let service = Service::builder(&client)
    ///     .on("index_order", |context: &Context, event: Value| {
    ///         let key = event["meta"]["s3_key"].as_str().unwrap_or_default();
    ///         let deadline = context.client().settings().clock().deadline(Duration::from_secs(30));
    ///         let batch = context.client().index_blobs()?.take(key, deadline)?;
    ///         let orders: Vec<Value> = serde_json::from_slice(&batch.unwrap_or_default())?;
    ///         println!("{} orders", orders.len());
    ///         Ok(())
    ///     })
    ///     .start()?;
    ///
    /// let orders = (1..=120).map(|id| serde_json::json!({"id": id, "name": "Lunch"}));
    /// let done = client
    ///     .index_rebuild("index_order", "Order")
    ///     .batch_size(50)
    ///     .on_progress(|progress| println!("{} of {:?}", progress.items, progress.total_items))
    ///     .emit(orders)?;
    /// assert_eq!((done.batches, done.items), (3, 120));
    /// # assert_eq!(service.stop(Duration::from_secs(5)).abandoned, 0);
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    pub fn index_rebuild<'a>(
        &self,
        event_type: impl Into<String>,
        resource_type: impl Into<String>,
    ) -> IndexRebuild<'a> {
        IndexRebuild {
            client: self.clone(),
            event_type: event_type.into(),
            resource_type: resource_type.into(),
            batch_size: BATCH_SIZE,
            store: None,
            on_progress: None,
        }
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

impl<'a> IndexRebuild<'a> {
    /// Sets the number of items in a batch; 50 by default. The last batch may have fewer. A batch is held in memory as JSON
    /// and must not be larger than `EVENTS_MAX_CONTENT`.
    pub fn batch_size(mut self, items: usize) -> Self {
        self.batch_size = items;
        self
    }

    /// Stores the batches in this store instead of the one that the settings name. The service that indexes needs the same
    /// store.
    pub fn store(mut self, store: &'a dyn BlobStore) -> Self {
        self.store = Some(store);
        self
    }

    /// Sets a function that is called after each batch.
    pub fn on_progress(mut self, on_progress: impl FnMut(RebuildProgress) + 'a) -> Self {
        self.on_progress = Some(Box::new(on_progress));
        self
    }

    /// Stores and emits one batch after the other. Each is confirmed before the next one is started, and items are taken from
    /// the iterator when they are needed, so only one batch is in memory. Storing a batch takes at most
    /// `EVENTS_CONTENT_TIMEOUT`, and emitting its event at most `EVENTS_PUBLISH_TIMEOUT`. The whole rebuild has no time limit.
    ///
    /// If there are no items, nothing is stored or emitted.
    ///
    /// # Errors
    /// [`RebuildError`] has the number of batches and items that were emitted. Its error is one of [`BlobStore::put`] or of
    /// [`EventClient::emit`]; [`Error::Encode`] for an item that cannot be written as JSON; [`Error::Config`] if the settings
    /// name no blob store or the batch size is 0.
    pub fn emit<T: Serialize>(self, items: impl IntoIterator<Item = T>) -> Result<RebuildProgress, RebuildError> {
        self.try_emit(items.into_iter().map(Ok::<T, Infallible>))
    }

    /// [`IndexRebuild::emit`] for items from a source that may fail, such as a database. The first failure ends the rebuild;
    /// the incomplete batch is not sent.
    ///
    /// # Errors
    /// As for [`IndexRebuild::emit`]; a failure of the iterator is an [`Error::Encode`] with the failure as its cause.
    pub fn try_emit<T, E>(
        mut self,
        items: impl IntoIterator<Item = Result<T, E>>,
    ) -> Result<RebuildProgress, RebuildError>
    where
        T: Serialize,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let mut progress = RebuildProgress::default();
        let ended = self.run(items.into_iter(), &mut progress);
        ended.map(|()| progress).map_err(|error| {
            let ended = RebuildError::new(progress, error);
            log::warn!(
                "MICROSERVICE_EVENT::EMIT_FAILURE: Failure emitting {}: {ended}",
                crate::log_fields::LogLine(&self.event_type)
            );
            ended
        })
    }

    fn run<T, E>(&mut self, mut items: impl Iterator<Item = Result<T, E>>, progress: &mut RebuildProgress) -> Result<()>
    where
        T: Serialize,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        if self.batch_size == 0 {
            return Err(Error::config("the `batch_size` of the index rebuild is 0: it must be at least 1"));
        }
        let opened;
        let store: &dyn BlobStore = match self.store {
            Some(store) => store,
            None => {
                opened = self.client.index_blobs()?;
                &*opened
            }
        };
        if let (least, Some(most)) = items.size_hint()
            && least == most
        {
            progress.total_items = Some(most as u64);
            progress.total_batches = Some(most.div_ceil(self.batch_size) as u64);
        }
        loop {
            let mut batch = Batch::default();
            for item in items.by_ref().take(self.batch_size) {
                let item = item.map_err(|error| Error::Encode { source: error.into() })?;
                batch.push(&item, progress.items, store.max_bytes())?;
            }
            if batch.items == 0 {
                return Ok(());
            }
            progress.items += self.send(store, batch)?;
            progress.batches += 1;
            if let Some(on_progress) = &mut self.on_progress {
                on_progress(*progress);
            }
        }
    }

    /// Stores a batch and emits its event. Returns the number of items.
    fn send(&self, store: &dyn BlobStore, batch: Batch) -> Result<u64> {
        let inner = self.client.inner();
        let deadline = inner.deadline(inner.settings.blobs.timeout);
        let items = batch.items;
        let key = store.put_new("application/json", &batch.finish(), deadline)?;
        let event = Event::new(&self.event_type)
            .resource(&self.resource_type, Value::Null)
            .user(Value::Null)
            .meta(&serde_json::json!({"s3_key": key}))?;
        // `emit` would log the failure a second time; `try_emit` logs it with the progress.
        self.client.start_emit(&event)?.wait()?;
        Ok(items)
    }
}

impl fmt::Debug for IndexRebuild<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexRebuild")
            .field("event_type", &self.event_type)
            .field("resource_type", &self.resource_type)
            .field("batch_size", &self.batch_size)
            .finish_non_exhaustive()
    }
}

/// A JSON list that grows.
#[derive(Default)]
struct Batch {
    json: Vec<u8>,
    items: u64,
}

impl Batch {
    /// Adds an item. `before` is the number of items in earlier batches.
    fn push<T: Serialize>(&mut self, item: &T, before: u64, limit: usize) -> Result<()> {
        let value = to_value(&format!("item {}", before + self.items + 1), item)?;
        self.json.push(if self.items == 0 { b'[' } else { b',' });
        serde_json::to_writer(&mut self.json, &value).map_err(|error| Error::Encode { source: error.into() })?;
        self.items += 1;
        // With the closing bracket.
        let size = self.json.len() + 1;
        if size > limit {
            let what = format!("a batch of an index rebuild with its first {} items (see `batch_size`)", self.items);
            return Err(Error::TooLarge { what, size, limit });
        }
        Ok(())
    }

    fn finish(mut self) -> Vec<u8> {
        self.json.push(b']');
        self.json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_a_json_list() {
        let mut batch = Batch::default();
        for item in [serde_json::json!({"id": 1}), serde_json::json!("a/b"), Value::Null] {
            batch.push(&item, 0, 100).unwrap();
        }
        assert_eq!(String::from_utf8(batch.finish()).unwrap(), r#"[{"id":1},"a/b",null]"#);
    }

    #[test]
    fn a_batch_that_grows_too_large_says_what_to_change() {
        let mut batch = Batch::default();
        batch.push(&"1234", 0, 8).unwrap();
        let error = batch.push(&"5", 0, 8).unwrap_err();
        assert!(matches!(error, Error::TooLarge { size: 12, limit: 8, .. }), "{error:?}");
        assert!(error.to_string().contains("first 2 items (see `batch_size`)"), "{error}");
    }
}
