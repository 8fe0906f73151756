//! Index rebuilds: the events of Python's `emit_index_rebuild_event`, the batches they name, and what is out when one
//! ends early.

use std::cell::{Cell, RefCell};

use serde_json::{Value, json};
use zc_events::blobs::{self, BlobStore, MemoryBlobStore};
use zc_events::{Context, Deadline, Error, EventClient, Outcome, RebuildProgress, Service, Settlement};
use zc_events_testing::Fleet;

use crate::support::PATIENCE;
use crate::support::wire_tap::{Message, WireTap, assert_sent_like, masked, soon, vector};

fn items(count: usize) -> impl Iterator<Item = Value> {
    (1..=count).map(|id| json!({"id": id, "name": "a/b \u{e9}"}))
}

/// What the event of a batch names, from the store.
fn batch(store: &dyn BlobStore, message: &Message) -> Vec<Value> {
    let key = message.kwargs()["meta"]["s3_key"].as_str().unwrap();
    serde_json::from_slice(&store.get(key, soon()).unwrap().unwrap()).unwrap()
}

#[test]
fn batch_event_and_stored_list_equal_pythons() {
    let mut seen = WireTap::new("rebuild-python");
    let store = MemoryBlobStore::new();
    seen.client().index_rebuild("index_order", "Order").store(&store).emit(items(2)).unwrap();
    let (message, vector) = (seen.next(), vector("v0110_index_rebuild"));
    assert_sent_like("v0110_index_rebuild", &message.delivery, &vector);
    let theirs: Value = serde_json::from_str(vector["body_utf8"].as_str().unwrap()).unwrap();
    let key = message.kwargs()["meta"]["s3_key"].as_str().unwrap();
    assert_eq!(masked(&message.json, &[key]), masked(&theirs, &["stub-s3-key"]));
    assert_eq!(batch(&store, &message), items(2).collect::<Vec<_>>());
    assert_eq!(store.content_type(key).as_deref(), Some("application/json"));
    assert_eq!(seen.left(), 0);
}

#[test]
fn every_item_is_sent_once_in_order() {
    let mut seen = WireTap::new("rebuild-order");
    let settings = seen.settings().aws_indexer_bucket_name("index").build().unwrap();
    let client = EventClient::new(settings).unwrap();
    let steps = RefCell::new(Vec::new());
    let rebuild =
        client.index_rebuild("index_order", "Order").batch_size(10).on_progress(|step| steps.borrow_mut().push(step));
    let done = rebuild.emit(items(25)).unwrap();
    assert_eq!((done.batches, done.items, done.total_batches, done.total_items), (3, 25, Some(3), Some(25)));
    let steps = steps.into_inner();
    assert_eq!(steps.iter().map(|step| (step.batches, step.items)).collect::<Vec<_>>(), [(1, 10), (2, 20), (3, 25)]);
    assert!(steps.iter().all(|step| step.total_items == Some(25)));
    let store = client.index_blobs().unwrap();
    let mut indexed = Vec::new();
    for size in [10, 10, 5] {
        let batch = batch(&*store, &seen.next());
        assert_eq!(batch.len(), size);
        indexed.extend(batch);
    }
    assert_eq!(indexed, items(25).collect::<Vec<_>>());
    assert_eq!(seen.left(), 0);
}

#[test]
fn empty_rebuild_stores_and_sends_nothing() {
    let seen = WireTap::new("rebuild-empty");
    let store = MemoryBlobStore::new();
    let called = Cell::new(false);
    let rebuild = seen.client().index_rebuild("index_order", "Order").store(&store).on_progress(|_| called.set(true));
    let done = rebuild.emit(items(0)).unwrap();
    assert_eq!((done.batches, done.items, done.total_items), (0, 0, Some(0)));
    assert_eq!((store.keys().len(), seen.left(), called.get()), (0, 0, false));
}

/// Items are taken from the iterator as they are needed. When a batch is emitted, no item of the next one has been taken.
#[test]
fn one_batch_is_in_memory_at_a_time() {
    let seen = WireTap::new("rebuild-lazy");
    let store = MemoryBlobStore::new();
    let taken = Cell::new(0_u64);
    let unknown = items(35).filter(|_| {
        taken.set(taken.get() + 1);
        true
    });
    let check = |step: RebuildProgress| {
        assert_eq!((taken.get(), step.total_items, step.total_batches), (step.items, None, None));
    };
    let done = seen
        .client()
        .index_rebuild("e", "Order")
        .batch_size(10)
        .store(&store)
        .on_progress(check)
        .emit(unknown)
        .unwrap();
    assert_eq!((done.batches, done.items), (4, 35));
}

/// In the test kit, a stored batch stays until the fleet ends, even if the client that stored it is dropped.
#[test]
fn test_fleet_has_a_blob_store() {
    let fleet = Fleet::new();
    let service = Service::builder(&fleet.client("search"))
        .on("index_order", |context: &Context, event: Value| {
            let key = event["meta"]["s3_key"].as_str().unwrap_or_default();
            let deadline = context.client().settings().clock().deadline(PATIENCE);
            assert!(context.client().index_blobs()?.take(key, deadline)?.is_some());
            Ok(())
        })
        .start()
        .unwrap();
    fleet.client("orders").index_rebuild("index_order", "Order").batch_size(10).emit(items(25)).unwrap();
    fleet.settle();
    assert_eq!(fleet.all_settlements().iter().filter(|message| message.settlement == Settlement::Handled).count(), 3);
    assert!(fleet.index_blobs().keys().is_empty());
    assert_eq!(service.stop(PATIENCE).abandoned, 0);
}

/// A store that is full after some.
struct Full {
    inner: MemoryBlobStore,
    room: usize,
}

impl BlobStore for Full {
    fn put(&self, key: &str, content_type: &str, blob: &[u8], deadline: Deadline) -> blobs::Result<()> {
        if self.inner.keys().len() == self.room {
            return Err(blobs::Error::Unavailable { what: "it is full".to_owned(), source: None });
        }
        self.inner.put(key, content_type, blob, deadline)
    }

    fn get(&self, key: &str, deadline: Deadline) -> blobs::Result<Option<Vec<u8>>> {
        self.inner.get(key, deadline)
    }

    fn delete(&self, key: &str, deadline: Deadline) -> blobs::Result<()> {
        self.inner.delete(key, deadline)
    }
}

#[test]
fn failed_rebuild_reports_its_progress_and_can_continue() {
    let mut seen = WireTap::new("rebuild-middle");
    let (client, store) = (seen.client(), Full { inner: MemoryBlobStore::new(), room: 2 });
    let ended = client.index_rebuild("e", "Order").batch_size(10).store(&store).emit(items(35)).unwrap_err();
    let progress = ended.progress();
    assert_eq!((progress.batches, progress.items, progress.total_items), (2, 20, Some(35)));
    assert!(matches!(ended.error(), Error::Unavailable { .. }), "{ended:?}");
    assert_eq!(ended.to_string(), "the index rebuild ended after 2 batches of 20 items: it is full");
    let error: Error = ended.into();
    assert!(error.is_retryable());

    let rest = MemoryBlobStore::new();
    let items_left = items(35).skip(progress.items as usize);
    let done = client.index_rebuild("e", "Order").batch_size(10).store(&rest).emit(items_left).unwrap();
    assert_eq!((done.batches, done.items), (2, 15));
    let mut indexed = Vec::new();
    for store in [&store.inner, &store.inner, &rest, &rest] {
        indexed.extend(batch(store, &seen.next()));
    }
    assert_eq!(indexed, items(35).collect::<Vec<_>>());
    assert_eq!(seen.left(), 0);
}

#[test]
fn bad_item_ends_the_rebuild_before_its_batch() {
    let mut seen = WireTap::new("rebuild-items");
    let (client, store) = (seen.client(), MemoryBlobStore::new());
    let rebuild = || client.index_rebuild("e", "Order").batch_size(10).store(&store);

    let rows = (1..=15).map(|id| if id == 14 { Err("the database is gone") } else { Ok(json!({"id": id})) });
    let ended = rebuild().try_emit(rows).unwrap_err();
    assert_eq!((ended.progress().batches, ended.progress().items), (1, 10));
    assert!(
        matches!(ended.error(), Error::Encode { .. }) && ended.to_string().contains("the database is gone"),
        "{ended}"
    );

    let ended = rebuild().emit((1..=15).map(|id| if id == 14 { f64::NAN } else { 1.5 })).unwrap_err();
    assert_eq!(ended.progress().items, 10);
    assert!(ended.to_string().contains("`item 14` contains NaN"), "{ended}");

    assert_eq!((batch(&store, &seen.next()).len(), batch(&store, &seen.next()).len()), (10, 10));
    assert_eq!((store.keys().len(), seen.left()), (2, 0));
}

#[test]
fn invalid_rebuild_is_refused_before_reading_items() {
    let seen = WireTap::new("rebuild-config");
    let client = seen.client();
    let untouched = || items(1).inspect(|_| panic!("an item was taken"));
    for (ended, says) in [
        (client.index_rebuild("e", "Order").emit(untouched()), "AWS_INDEXER_BUCKET_NAME"),
        (
            client.index_rebuild("e", "Order").store(&MemoryBlobStore::new()).batch_size(0).emit(untouched()),
            "batch_size",
        ),
    ] {
        let ended = ended.unwrap_err();
        assert!(matches!(ended.error(), Error::Config { why } if why.contains(says)), "{ended:?}");
        assert_eq!(ended.progress().items, 0);
    }
}

#[test]
fn unroutable_batch_is_not_counted() {
    let settings = zc_events::Settings::builder().broker_url("memory://").staging_name("test").build().unwrap();
    let ended =
        EventClient::new(settings).unwrap().index_rebuild("e", "Order").store(&MemoryBlobStore::new()).emit(items(1));
    let ended = ended.unwrap_err();
    assert!(matches!(ended.error(), Error::Unroutable { .. }), "{ended:?}");
    assert_eq!((ended.progress().batches, ended.error().outcome()), (0, Outcome::NotSent));
}
