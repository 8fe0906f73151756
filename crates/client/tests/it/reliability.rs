//! What becomes of messages whose handlers fail, vanish or never return, and of messages
//! that come twice. In memory, with the time in the test's hand.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use serde_json::{Value, json};
use zc_events::{
    Clock, Context, Dedup, Document, Event, EventClient, HandlerError, ResourceObject, ResourceView, Retry, Service,
    ViewResult,
};
use zc_events_cache::ReplyStore;
use zc_events_protocol::{EncodeOptions, HeaderValue, Headers, Properties};
use zc_events_transport::{Broker, Delivery, Outgoing};

use crate::support::{ManualFleet, PATIENCE, eventually};

const QUEUE: &str = "orders-events";
const DEAD: &str = "orders-events.dead";
const QUARANTINE: &str = "orders-events.quarantine";

fn header<'a>(letter: &'a Delivery, name: &str) -> Option<&'a HeaderValue> {
    letter.properties.headers.as_ref().and_then(|headers| headers.get(name))
}

fn reason(letter: &Delivery) -> &str {
    header(letter, "x-zc-reason").and_then(HeaderValue::as_str).unwrap_or_default()
}

fn nothing(_: &Context, _: Value) -> Result<(), HandlerError> {
    Ok(())
}

#[test]
fn attempts_are_counted_spaced_and_ended_in_a_dead_letter_that_tells_all() {
    let fleet = ManualFleet::new("attempts");
    let client = fleet.client();
    let attempts: Arc<Mutex<Vec<(u32, bool)>>> = Arc::default();
    let noted = Arc::clone(&attempts);
    let service = Service::builder(&client)
        .on("fails", move |context: &Context, _: Value| {
            noted.lock().unwrap().push((context.attempt(), context.is_redelivered()));
            Err(HandlerError::new("out of luck"))
        })
        .retry(Retry::attempts(3))
        .start()
        .unwrap();
    let event = Event::new("fails").resource("Order", 7);
    client.emit(&event).unwrap();
    eventually(|| service.health().retried == 1);
    // The time stands still: no second attempt.
    assert_eq!(*attempts.lock().unwrap(), [(1, false)]);
    fleet.pass_time_until(&service, || service.health().dead_lettered == 1);
    assert_eq!(*attempts.lock().unwrap(), [(1, false), (2, true), (3, true)]);
    drop(service);
    let letters = fleet.empty(DEAD);
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!(reason(letter), "failed");
    assert_eq!(header(letter, "x-zc-detail"), Some(&"out of luck".into()));
    assert_eq!(header(letter, "x-zc-attempts"), Some(&3.into()));
    assert_eq!(header(letter, "x-zc-exchange"), Some(&"microservice-events-test".into()));
    assert!(matches!(header(letter, "x-zc-time"), Some(HeaderValue::Timestamp(_))));
    let sent = event.encode(&EncodeOptions { origin: Some("orders".into()), ..EncodeOptions::default() }).unwrap();
    assert_eq!(letter.body, sent.body);
}

#[test]
fn a_handler_says_when_it_wants_to_be_asked_again() {
    let fleet = ManualFleet::new("retry-after");
    let client = fleet.client();
    let (seen, handled) = mpsc::channel();
    let (clock, start) = (fleet.clock.clone(), fleet.clock.now());
    let service = Service::builder(&client)
        .on("later", move |context: &Context, _: Value| {
            seen.send(clock.now() - start)?;
            if context.attempt() == 1 {
                Err(HandlerError::new("busy").retry_after(Duration::from_secs(100)))
            } else {
                Ok(())
            }
        })
        .start()
        .unwrap();
    client.emit(&Event::new("later")).unwrap();
    eventually(|| service.health().retried == 1);
    fleet.pass_time_until(&service, || service.health().processed == 1);
    let times: Vec<_> = handled.try_iter().collect();
    assert!(times.len() == 2 && times[1] - times[0] >= Duration::from_secs(100), "{times:?}");
    // Sooner than the next delay that there is a queue for. The clock of this test may run ahead of a busy machine.
    assert!(times[1] - times[0] < Duration::from_secs(250), "{times:?}");
}

#[test]
fn what_a_vanished_worker_left_is_handled_alone() {
    let fleet = ManualFleet::new("vanished");
    let client = fleet.client();
    let prepare = Service::builder(&client).on("order_created", nothing).start().unwrap();
    assert_eq!(prepare.stop(PATIENCE).abandoned, 0);
    client.emit(&Event::new("order_created")).unwrap();
    fleet.take_and_vanish(QUEUE);
    let (seen, handled) = mpsc::channel();
    let service = Service::builder(&client)
        .on("order_created", move |context: &Context, _: Value| {
            Ok(seen.send((context.attempt(), context.is_redelivered()))?)
        })
        // Even where there is one attempt only: nobody knows whose fault it was.
        .retry(Retry::never())
        .start()
        .unwrap();
    assert_eq!(handled.recv_timeout(PATIENCE), Ok((1, true)));
    eventually(|| service.health().processed == 1 && service.health().quarantined == 1);
}

#[test]
fn a_message_that_kills_its_workers_ends_as_a_dead_letter_and_the_others_go_on() {
    let fleet = ManualFleet::new("killer");
    let client = fleet.client();
    let start = || {
        Service::builder(&client)
            .on("kills", |_: &Context, _: Value| panic!("it is not to be run"))
            .on("works", nothing)
            .retry(Retry::attempts(3))
            .start()
            .unwrap()
    };
    assert_eq!(start().stop(PATIENCE).abandoned, 0);
    let event = Event::new("works");
    client.emit(&event).unwrap();
    fleet.take_and_vanish(QUEUE);
    // In the quarantine, as its third attempt, it is again the end of its worker.
    let encoded = event.encode(&EncodeOptions::default()).unwrap();
    let taken = fleet.empty(QUEUE);
    let mut properties = taken[0].properties.clone();
    properties.headers.get_or_insert_default().insert("x-zc-attempt".into(), 3.into());
    let copy = Outgoing {
        exchange: "",
        routing_key: QUARANTINE,
        mandatory: true,
        properties: &properties,
        body: &encoded.body,
    };
    let deadline = fleet.clock.deadline(PATIENCE);
    fleet.broker().send(&copy, deadline).unwrap().wait(deadline).unwrap();
    fleet.take_and_vanish(QUARANTINE);
    client.emit(&Event::new("works")).unwrap();
    let service = start();
    eventually(|| service.health().dead_lettered == 1 && service.health().processed == 1);
    drop(service);
    let letters = fleet.empty(DEAD);
    assert_eq!(letters.iter().map(reason).collect::<Vec<_>>(), ["worker_lost"]);
}

#[test]
fn an_event_that_comes_twice_is_handled_once() {
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
fn an_event_that_comes_while_it_is_handled_waits_for_the_verdict() {
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

struct Counted(Arc<AtomicU32>);

impl ResourceView for Counted {
    fn create(&self, _: &Context) -> ViewResult {
        let number = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Document::one(ResourceObject::new("Order", number)).into())
    }
}

fn serve(client: &EventClient) -> (Service, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let service = Service::builder(client).resource("Order", Counted(Arc::clone(&count))).start().unwrap();
    (service, count)
}

#[test]
fn a_request_that_comes_twice_gets_the_same_answer() {
    let fleet = ManualFleet::new("request-twice");
    let client = fleet.client();
    let (service, count) = serve(&client);
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
fn an_answer_that_is_not_taken_is_handed_in_again_without_asking_the_view_again() {
    let fleet = ManualFleet::new("not-taken");
    let client = fleet.client();
    let (service, count) = serve(&client);
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
fn a_handler_that_never_returns_is_replaced_and_its_message_is_a_dead_letter() {
    let fleet = ManualFleet::new("never");
    let client = fleet.client();
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let service = Service::builder(&client)
        .on("stuck", move |_: &Context, _: Value| Ok(wait.lock().map_err(|_| HandlerError::new("poisoned"))?.recv()?))
        .on("works", nothing)
        .workers(1)
        .start()
        .unwrap();
    client.emit(&Event::new("stuck")).unwrap();
    eventually(|| service.health().under_way == 1);
    assert!(service.health().is_ready());
    client.emit(&Event::new("works")).unwrap();
    eventually(|| {
        fleet.clock.advance(Duration::from_secs(10));
        service.health().stuck == 1
    });
    eventually(|| service.health().processed == 1 && service.health().dead_lettered == 1);
    assert!(!service.health().is_ready());
    go.send(()).unwrap();
    eventually(|| service.health().is_ready());
    eventually(|| service.health().under_way == 0);
    assert_eq!(service.health().processed, 1);
    drop(service);
    assert_eq!(fleet.empty(DEAD).iter().map(reason).collect::<Vec<_>>(), ["stuck"]);
}

#[test]
fn a_request_that_nobody_waits_for_any_more_is_not_begun() {
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

#[test]
fn what_is_over_a_limit_or_cannot_be_read_is_a_dead_letter_if_it_is_for_this_service() {
    let fleet = ManualFleet::new("limits");
    let settings = fleet.settings().events_max_body(2000).events_max_headers(1024);
    let client = EventClient::new(settings.build().unwrap()).unwrap();
    let service = Service::builder(&client).on("mine", nothing).start().unwrap();
    let message = |event_type: &str, headers: Headers, size: usize| {
        let event = Event::new(event_type).set("text", "x".repeat(size)).unwrap();
        let encoded = event.encode(&EncodeOptions::default()).unwrap();
        fleet.publish(&Properties { headers: Some(headers), ..encoded.properties }, &encoded.body);
    };
    let large = || Headers::from([("note".to_owned(), "x".repeat(2000).into())]);
    message("mine", large(), 0);
    message("mine", Headers::new(), 3000);
    message("theirs", large(), 3000);
    message("mine", Headers::new(), 0);
    eventually(|| {
        service.health().processed == 1 && service.health().dead_lettered == 2 && service.health().ignored == 1
    });
    drop(service);
    let letters = fleet.empty(DEAD);
    let mut reasons: Vec<_> = letters.iter().map(reason).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["headers_too_large", "too_large"]);
    assert!(letters.iter().any(|letter| letter.body.len() > 3000));
}

#[test]
fn a_delay_queue_that_was_deleted_is_made_again() {
    let fleet = ManualFleet::new("deleted");
    let client = fleet.client();
    let service = Service::builder(&client)
        .on("fails", |_: &Context, _: Value| Err(HandlerError::new("no")))
        .retry(Retry::attempts(2).backoff(Duration::from_millis(1), Duration::from_millis(1)))
        .start()
        .unwrap();
    for round in 1..=2 {
        client.emit(&Event::new("fails")).unwrap();
        fleet.pass_time_until(&service, || service.health().dead_lettered == round);
        assert!(fleet.broker().delete_queue("orders-events.retry.1s"));
    }
}

#[test]
fn two_processes_that_share_a_store_complete_an_event_once() {
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
fn a_failed_attempt_gives_its_claim_back() {
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
