//! Replies: deadlines of requests, and a reply store that takes no reply. In memory, where the test moves the time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use zc_events::{Clock, Context, Error, Event, HandlerError, Service, Stage};
use zc_events_cache::ReplyStore;
use zc_events_protocol::{EncodeOptions, Properties};

use crate::support::{Counted, ManualFleet, eventually, serve_counted};

#[test]
fn unanswered_request_times_out_at_its_deadline() {
    let fleet = ManualFleet::new("unanswered");
    let client = fleet.client();
    let service = Service::builder(&client).start().unwrap();
    let pending = client.remote("Order").pk("1").timeout(Duration::from_secs(30)).send().unwrap();
    let waiting = thread::spawn(move || pending.wait());
    eventually(|| service.health().ignored == 1);
    fleet.clock.advance(Duration::from_secs(29));
    assert!(!waiting.is_finished());
    eventually(|| {
        fleet.clock.advance(Duration::from_secs(2));
        waiting.is_finished()
    });
    let error = waiting.join().unwrap().unwrap_err();
    assert!(matches!(error, Error::Timeout { stage: Stage::Reply }), "{error:?}");
}

#[test]
fn failed_reply_push_is_retried_without_calling_the_view_again() {
    let fleet = ManualFleet::new("not-taken");
    let client = fleet.client();
    let (service, count) = serve_counted(&client);
    fleet.store().fail_with(Some("on purpose"));
    let request = Event::new("order_request").set("method", "POST").unwrap().set("response_key", "the-key").unwrap();
    client.emit(&request).unwrap();
    eventually(|| fleet.broker().queue_len("orders-events.retry.1s") == Some(1));
    fleet.store().fail_with(None);
    fleet.pass_time_until(&service, || service.health().processed == 1);
    assert_eq!((count.load(Ordering::SeqCst), service.health().retried), (1, 1));
    let popped = fleet.store().pop(&["the-key"], fleet.clock.deadline(Duration::ZERO)).unwrap();
    assert!(popped.is_some());

    // Redis never comes back: that is told and counted.
    fleet.store().fail_with(Some("on purpose"));
    client.emit(&request.clone().with_id("another")).unwrap();
    fleet.pass_time_until(&service, || service.health().unanswered == 1);
    fleet.store().fail_with(None);
}

#[test]
fn expired_request_is_not_handled() {
    let fleet = ManualFleet::new("given-up");
    let client = fleet.client();
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let count = Arc::new(AtomicU32::new(0));
    let service = Service::builder(&client)
        .resource("Order", Counted(Arc::clone(&count)))
        .on("slow", move |_: &Context, _: Value| Ok(wait.lock().map_err(|_| HandlerError::new("poisoned"))?.recv()?))
        .workers(1)
        .start()
        .unwrap();
    // Both workers are busy: one with an event, the one for requests with a request that is an event's.
    client.emit(&Event::new("slow")).unwrap();
    eventually(|| service.health().under_way == 1);
    let properties = Properties {
        content_type: Some("application/json".into()),
        expiration: Some("5000".into()),
        ..Properties::default()
    };
    let held = Event::new("slow").encode(&EncodeOptions::default()).unwrap();
    fleet.publish(&Properties { expiration: properties.expiration.clone(), ..held.properties }, &held.body);
    eventually(|| service.health().under_way == 2);
    fleet.clock.advance(Duration::from_secs(6));
    go.send(()).unwrap();
    eventually(|| service.health().expired == 1);
    assert_eq!(service.health().processed, 1);
    assert_eq!(count.load(Ordering::SeqCst), 0);
}
