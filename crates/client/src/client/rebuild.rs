//! Rebuilding the index of another service: all items of a kind, in batches that are stored, and an event for each.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;

use serde::Serialize;
use serde_json::Value;
use zc_events_protocol::{Event, to_value};

use super::EventClient;
use crate::blobs::BlobStore;
use crate::{Error, RebuildError, RebuildProgress, Result};

/// How many items are in a batch unless told otherwise. Python's callers choose 50.
const BATCH: usize = 50;

/// An index rebuild in the making; see [`EventClient::index_rebuild`].
#[must_use = "a rebuild does nothing until it is emitted"]
pub struct IndexRebuild<'a> {
    client: EventClient,
    event_type: String,
    resource_type: String,
    batch_size: usize,
    store: Option<&'a dyn BlobStore>,
    on_progress: Option<Box<dyn FnMut(RebuildProgress) + 'a>>,
}

impl EventClient {
    /// Sends all items of a kind to whoever indexes them, as Python's `emit_index_rebuild_event` does: each batch is stored
    /// as a JSON list under a fresh key ([`EventClient::index_blobs`]), and an event names it: `meta.s3_key`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zc_events::{Context, EventClient, Service, Settings, Value};
    /// # let settings = Settings::builder().broker_url("memory://").events_content_url("memory://").staging_name("test");
    /// # let settings = settings.aws_indexer_bucket_name("index").service_name("search").build()?;
    /// let client = EventClient::new(settings)?;
    /// // The service that indexes: it takes each batch from the store.
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
            batch_size: BATCH,
            store: None,
            on_progress: None,
        }
    }
}

impl<'a> IndexRebuild<'a> {
    /// How many items are in a batch, but for the last; 50 unless set. A batch is held in memory as JSON, and must not be
    /// larger than `EVENTS_MAX_CONTENT`.
    pub fn batch_size(mut self, items: usize) -> Self {
        self.batch_size = items;
        self
    }

    /// Stores the batches here, and not where the settings say. Whoever indexes must know it.
    pub fn store(mut self, store: &'a dyn BlobStore) -> Self {
        self.store = Some(store);
        self
    }

    /// Calls this after each batch that is out.
    pub fn on_progress(mut self, on_progress: impl FnMut(RebuildProgress) + 'a) -> Self {
        self.on_progress = Some(Box::new(on_progress));
        self
    }

    /// Stores and emits one batch after the other, each confirmed before the next is begun; items are taken from the
    /// iterator as they are needed, so that one batch is in memory at a time. Storing a batch takes at most
    /// `EVENTS_CONTENT_TIMEOUT`, emitting it `EVENTS_PUBLISH_TIMEOUT`; the whole takes as long as it takes.
    ///
    /// Without an item nothing is stored and nothing emitted.
    ///
    /// # Errors
    /// [`RebuildError`] says how many batches and items are out. Its error is that of the store, as for
    /// [`BlobStore::put`], or that of [`EventClient::emit`]; [`Error::Encode`] for an item that has no form in JSON;
    /// [`Error::Config`] where the settings name no store or the batches are of no items.
    pub fn emit<T: Serialize>(self, items: impl IntoIterator<Item = T>) -> Result<RebuildProgress, RebuildError> {
        self.try_emit(items.into_iter().map(Ok::<T, Infallible>))
    }

    /// [`IndexRebuild::emit`], of items that are read from where reading may fail, such as a database. The first failure
    /// ends it; what of its batch was read is not sent.
    ///
    /// # Errors
    /// As for [`IndexRebuild::emit`]; a failure of the iterator is an [`Error::Encode`] with that as its cause.
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
            return Err(Error::config(
                "the batches of an index rebuild are of no items: set `batch_size` to one or more",
            ));
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

    /// Stores a batch and emits its event. How many items were in it.
    fn send(&self, store: &dyn BlobStore, batch: Batch) -> Result<u64> {
        let inner = self.client.inner();
        let deadline = inner.deadline(inner.settings.blobs.timeout);
        let items = batch.items;
        let key = store.put_new("application/json", &batch.finish(), deadline)?;
        let event = Event::new(&self.event_type)
            .resource(&self.resource_type, Value::Null)
            .user(Value::Null)
            .meta(&serde_json::json!({"s3_key": key}))?;
        // Not `emit`, which logs the failure that is logged here with how far it was.
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

/// A JSON list in the making.
#[derive(Default)]
struct Batch {
    json: Vec<u8>,
    items: u64,
}

impl Batch {
    /// Adds an item; `before` says how many there were before this batch.
    fn push<T: Serialize>(&mut self, item: &T, before: u64, limit: usize) -> Result<()> {
        let value = to_value(&format!("item {}", before + self.items + 1), item)?;
        self.json.push(if self.items == 0 { b'[' } else { b',' });
        serde_json::to_writer(&mut self.json, &value).map_err(|error| Error::Encode { source: error.into() })?;
        self.items += 1;
        // With the bracket that is still to come.
        let size = self.json.len() + 1;
        if size > limit {
            let what = format!("a batch of an index rebuild, with its first {} items (see `batch_size`),", self.items);
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
