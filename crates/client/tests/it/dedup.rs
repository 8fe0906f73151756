//! Duplicates: an event or a request that arrives twice, in one process or in two. In memory.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use serde_json::json;
use zc_events::{
    Clock, Context, Dedup, Document, Event, EventClient, HandlerError, ResourceObject, ResourceView, Service, Value,
    ViewResult,
};
use zc_events_cache::ReplyStore;

use crate::support::{ManualFleet, PATIENCE, QUEUE, eventually, nothing, serve_counted};

struct Orders;

impl ResourceView for Orders {
    fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
        Ok(Document::one(ResourceObject::new("Order", pk)).into())
    }
}

#[test]
fn duplicate_event_is_handled_once() {
    let fleet = ManualFleet::new("twice");
    let client = fleet.client();
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    let service = Service::builder(&client)
        .on("order_created", move |_: &Context, _: Value| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
        .start()
        .unwrap();
    let event = Event::new("order_created");
    client.emit(&event).unwrap();
    eventually(|| service.health().processed == 1);
    client.emit(&event).unwrap();
    eventually(|| service.health().duplicates == 1);
    // Another one with the same task_id is another one.
    client.emit(&Event::new("order_created").task_id(event.id())).unwrap();
    eventually(|| service.health().processed == 2);
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[test]
fn duplicate_of_an_event_in_progress_waits_for_its_outcome() {
    let fleet = ManualFleet::new("at-once");
    let client = fleet.client();
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    let service = Service::builder(&client)
        .on("slow", move |_: &Context, _: Value| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(wait.lock().map_err(|_| HandlerError::new("poisoned"))?.recv()?)
        })
        .workers(4)
        .start()
        .unwrap();
    let event = Event::new("slow");
    client.emit(&event).unwrap();
    eventually(|| count.load(Ordering::SeqCst) == 1);
    client.emit(&event).unwrap();
    // Both are out, and one is worked on.
    eventually(|| fleet.broker().unacked(QUEUE) == Some(2) && service.health().under_way == 1);
    go.send(()).unwrap();
    eventually(|| fleet.broker().unacked(QUEUE) == Some(0));
    assert_eq!((count.load(Ordering::SeqCst), service.health().processed), (1, 1));
}

#[test]
fn two_processes_with_one_store_complete_an_event_once() {
    let fleet = ManualFleet::new("store");
    let count = Arc::new(AtomicU32::new(0));
    let start = || {
        let settings = fleet.settings().events_dedup(Dedup::Store);
        let client = EventClient::new(settings.build().unwrap()).unwrap();
        let counted = Arc::clone(&count);
        let handler = move |_: &Context, _: Value| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        (Service::builder(&client).on("order_created", handler).start().unwrap(), client)
    };
    let event = Event::new("order_created");
    let (first, client) = start();
    client.emit(&event).unwrap();
    eventually(|| first.health().processed == 1);
    drop(first);
    // A process that knows nothing of it.
    let (second, client) = start();
    client.emit(&event).unwrap();
    eventually(|| second.health().duplicates == 1);
    assert_eq!((count.load(Ordering::SeqCst), second.health().processed), (1, 0));
}

#[test]
fn failed_attempt_releases_its_claim() {
    let fleet = ManualFleet::new("claim");
    let settings = fleet.settings().events_dedup(Dedup::Store);
    let client = EventClient::new(settings.build().unwrap()).unwrap();
    let service = Service::builder(&client)
        .on(
            "second_time",
            |context: &Context, _: Value| {
                if context.attempt() == 1 { Err(HandlerError::new("no")) } else { Ok(()) }
            },
        )
        .start()
        .unwrap();
    client.emit(&Event::new("second_time")).unwrap();
    fleet.pass_time_until(&service, || service.health().processed == 1);
    assert_eq!((service.health().retried, service.health().duplicates), (1, 0));
}

#[test]
fn duplicate_request_gets_the_same_reply() {
    let fleet = ManualFleet::new("request-twice");
    let client = fleet.client();
    let (service, count) = serve_counted(&client);
    let body = json!({"method": "POST", "response_key": "the-key"});
    let request = Event::new("order_request").set("method", "POST").unwrap().set("response_key", "the-key").unwrap();
    assert_eq!(request.kwargs()["method"], body["method"]);
    client.emit(&request).unwrap();
    eventually(|| service.health().processed == 1);
    client.emit(&request).unwrap();
    eventually(|| service.health().duplicates == 1 && service.health().under_way == 0);
    let store = fleet.store();
    let deadline = fleet.clock.deadline(PATIENCE);
    let answers: Vec<_> = (0..2).map(|_| store.pop(&["the-key"], deadline).unwrap().unwrap().1).collect();
    assert_eq!(answers[0], answers[1]);
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn clones_of_a_request_are_new_requests_and_clones_of_an_event_keep_its_id() {
    let fleet = ManualFleet::new("template");
    let client = fleet.client();
    let service = Service::builder(&client).resource("Order", Orders).on("noted", nothing).start().unwrap();
    let base = client.remote("Order").user(56);
    for pk in [1, 2, 1] {
        let document = base.clone().pk(pk).fetch_document().unwrap();
        let order: Value = serde_json::to_value(document.to_value()).unwrap();
        assert_eq!(order["data"]["id"], pk.to_string());
    }
    // An event keeps its id when it is emitted again. A different event with the same id is not a duplicate.
    let base = Event::new("noted");
    for order in [1, 2, 2] {
        client.emit(&base.clone().resource("Order", order)).unwrap();
    }
    eventually(|| service.health().processed == 3 + 2 && service.health().duplicates == 1);
}
