//! How messages end where something stands against it: a queue that takes nothing, user code that panics, a service that
//! stops or loses its connection in the middle. In memory, where the test moves the time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use uuid::Uuid;
use zc_events::{
    Clock, Context, Dedup, Document, Error, Event, EventClient, HandlerError, ResourceObject, ResourceView, Retry,
    Service, Value, ViewResult,
};
use zc_events_cache::{Claim, ReplyStore};
use zc_events_protocol::{HeaderValue, Properties};
use zc_events_transport::{Broker, Queue, Topology};

use crate::support::{ManualFleet, PATIENCE, eventually};

const QUEUE: &str = "orders-events";
const QUARANTINE: &str = "orders-events.quarantine";
const DEAD: &str = "orders-events.dead";

fn nothing(_: &Context, _: Value) -> Result<(), HandlerError> {
    Ok(())
}

/// A queue that is there already, and refuses all that comes.
fn declare_full(fleet: &ManualFleet, queue: &str) {
    let arguments = [("x-max-length", HeaderValue::Int(0)), ("x-overflow", "reject-publish".into())];
    let full = Queue::durable(queue).arguments(arguments.map(|(name, value)| (name.to_owned(), value)).into());
    fleet.broker().declare(&Topology::new().queue(full), fleet.clock.deadline(PATIENCE)).unwrap();
}

#[test]
fn a_handler_does_not_run_again_while_its_delay_queue_takes_nothing() {
    let fleet = ManualFleet::new("delay-full");
    let client = fleet.client();
    declare_full(&fleet, "orders-events.retry.1s");
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    let service = Service::builder(&client)
        .on("fails_once", move |_: &Context, _: Value| match counted.fetch_add(1, Ordering::SeqCst) {
            0 => Err(HandlerError::new("no")),
            _ => Ok(()),
        })
        .retry(Retry::attempts(2).backoff(Duration::from_millis(1), Duration::from_millis(1)))
        .start()
        .unwrap();
    client.emit(&Event::new("fails_once")).unwrap();
    let start = fleet.clock.now();
    fleet.pass_time_until(&service, || fleet.clock.now() - start > Duration::from_secs(100));
    assert_eq!((count.load(Ordering::SeqCst), service.health().retried), (1, 0));
    // It is kept, and goes on when there is room.
    assert_eq!(service.health().held_up, 1);
    assert_eq!((fleet.broker().queue_len(QUEUE), fleet.broker().unacked(QUEUE)), (Some(0), Some(1)));
    assert!(fleet.broker().delete_queue("orders-events.retry.1s"));
    fleet.pass_time_until(&service, || service.health().processed == 1);
    assert_eq!((count.load(Ordering::SeqCst), service.health().retried, service.health().held_up), (2, 1, 0));
}

#[test]
fn what_the_dead_letters_do_not_take_is_kept_until_they_do() {
    let fleet = ManualFleet::new("dead-full");
    let client = fleet.client();
    declare_full(&fleet, DEAD);
    let service = Service::builder(&client).on("mine", nothing).start().unwrap();
    let encoded = Event::new("mine").encode(&Default::default()).unwrap();
    let properties = Properties { content_type: Some("application/x-python-serialize".into()), ..encoded.properties };
    fleet.publish(&properties, &encoded.body);
    let start = fleet.clock.now();
    fleet.pass_time_until(&service, || fleet.clock.now() - start > Duration::from_secs(100));
    assert_eq!((service.health().dead_lettered, fleet.broker().unacked(QUEUE)), (0, Some(1)));
    assert!(fleet.broker().delete_queue(DEAD));
    fleet.pass_time_until(&service, || service.health().dead_lettered == 1);
    eventually(|| fleet.broker().unacked(QUEUE) == Some(0));
    assert_eq!(fleet.broker().queue_len(DEAD), Some(1));
}

#[test]
fn a_panic_in_the_judge_of_errors_ends_its_message_and_not_its_worker() {
    let fleet = ManualFleet::new("judge");
    let client = fleet.client();
    let service = Service::builder(&client)
        .on("fails", |_: &Context, _: Value| Err(HandlerError::new("no")))
        .retry(
            Retry::attempts(9).when(|error| error.downcast_ref::<std::io::Error>().unwrap().raw_os_error().is_some()),
        )
        .on("works", nothing)
        .workers(1)
        .start()
        .unwrap();
    for _ in 0..4 {
        client.emit(&Event::new("fails")).unwrap();
    }
    client.emit(&Event::new("works")).unwrap();
    eventually(|| service.health().dead_lettered == 4 && service.health().processed == 1);
    eventually(|| service.health().under_way == 0);
    let reasons: Vec<_> = fleet.empty(DEAD);
    assert!(reasons.iter().all(|it| it.properties.headers.as_ref().unwrap()["x-zc-reason"] == "panicked".into()));
}

/// An error whose text cannot be had.
#[derive(Debug)]
struct Mute;

impl std::fmt::Display for Mute {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("no words");
    }
}

impl std::error::Error for Mute {}

#[test]
fn a_panic_in_an_errors_own_text_is_a_failure_like_any_other() {
    struct Mutes;
    impl ResourceView for Mutes {
        fn list(&self, _: &Context) -> ViewResult {
            Err(Mute.into())
        }
    }
    let fleet = ManualFleet::new("mute");
    let client = fleet.client();
    let service = Service::builder(&client)
        .on("fails", |_: &Context, _: Value| Err(Mute.into()))
        .retry(Retry::never())
        .resource("Mute", Mutes)
        .start()
        .unwrap();
    client.emit(&Event::new("fails")).unwrap();
    eventually(|| service.health().dead_lettered == 1);
    assert!(matches!(client.remote("Mute").fetch_any(), Ok(answer) if answer.status() == 500));
    eventually(|| service.health().under_way == 0);
}

struct Orders;

impl ResourceView for Orders {
    fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
        Ok(Document::one(ResourceObject::new("Order", pk)).into())
    }
}

#[test]
fn a_request_that_served_as_a_template_is_another_request() {
    let fleet = ManualFleet::new("template");
    let client = fleet.client();
    let service = Service::builder(&client).resource("Order", Orders).on("noted", nothing).start().unwrap();
    let base = client.remote("Order").user(56);
    for pk in [1, 2, 1] {
        let document = base.clone().pk(pk).fetch_document().unwrap();
        let order: Value = serde_json::to_value(document.to_value()).unwrap();
        assert_eq!(order["data"]["id"], pk.to_string());
    }
    // Events keep their id, so that whoever repeats one can; another event with it is another event.
    let base = Event::new("noted");
    for order in [1, 2, 2] {
        client.emit(&base.clone().resource("Order", order)).unwrap();
    }
    eventually(|| service.health().processed == 3 + 2 && service.health().duplicates == 1);
}

#[test]
fn a_message_in_the_quarantine_waits_there_for_the_claim_of_another_process() {
    let fleet = ManualFleet::new("claimed");
    let client = EventClient::new(fleet.settings().events_dedup(Dedup::Store).build().unwrap()).unwrap();
    let event = Event::new("mine");
    let encoded = event.encode(&Default::default()).unwrap();
    let who = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{}/0", event.id()).as_bytes());
    let key = format!("zc-events:done:orders:{}", Uuid::new_v5(&who, &encoded.body).simple());
    let claimed = fleet.store().claim(&key, "another", Duration::from_secs(60), fleet.clock.deadline(PATIENCE));
    assert!(matches!(claimed, Ok(Claim::Granted)));
    let service = Service::builder(&client).on("mine", nothing).start().unwrap();
    fleet.send_to(QUARANTINE, &encoded.properties, &encoded.body);
    let start = fleet.clock.now();
    fleet.pass_time_until(&service, || fleet.clock.now() - start > Duration::from_secs(40));
    assert_eq!((fleet.broker().unacked(QUARANTINE), service.health().processed), (Some(1), 0));
    assert_eq!(fleet.broker().queue_len("orders-events.retry.15s"), None);
    fleet.pass_time_until(&service, || service.health().processed == 1);
}

#[test]
fn a_client_that_is_closed_ends_its_services() {
    let fleet = ManualFleet::new("closed");
    let client = fleet.client();
    let service = Service::builder(&client).on("noted", nothing).start().unwrap();
    client.close(PATIENCE).unwrap();
    assert!(matches!(client.emit(&Event::new("noted")), Err(Error::Closed)));
    assert_eq!(service.run_until_signal().unwrap().abandoned, 0);
}

#[test]
fn the_worker_for_requests_is_replaced_by_another_one_for_requests() {
    struct Slow(Mutex<mpsc::Receiver<()>>);
    impl ResourceView for Slow {
        fn list(&self, _: &Context) -> ViewResult {
            self.0.lock().unwrap().recv()?;
            Err(HandlerError::not_found())
        }
        fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
            Ok(Document::one(ResourceObject::new("Slow", pk)).into())
        }
    }
    let fleet = ManualFleet::new("requests-only");
    let client = fleet.client();
    let (go, wait) = mpsc::channel::<()>();
    let (end, ended) = mpsc::channel::<()>();
    let ended = Mutex::new(ended);
    let service = Service::builder(&client)
        .resource("Slow", Slow(Mutex::new(wait)))
        .on("busy", move |_: &Context, _: Value| Ok(ended.lock().unwrap().recv()?))
        .workers(1)
        .start()
        .unwrap();
    // The worker for all is busy, so it is the other that gets stuck.
    client.emit(&Event::new("busy")).unwrap();
    eventually(|| service.health().under_way == 1);
    let request = Event::new("slow_request").set("method", "GET").unwrap().set("response_key", "the-key").unwrap();
    client.emit(&request).unwrap();
    eventually(|| service.health().under_way == 2);
    eventually(|| {
        fleet.clock.advance(Duration::from_secs(10));
        service.health().stuck >= 1
    });
    eventually(|| service.health().dead_lettered >= 1);
    go.send(()).unwrap();
    for _ in 0..3 {
        client.emit(&Event::new("busy")).unwrap();
    }
    // All that take events are busy or stuck by now; requests are answered all the same.
    let answer = std::thread::scope(|scope| {
        let asking = scope.spawn(|| client.remote("Slow").pk(7).timeout(Duration::from_secs(3600)).fetch_any());
        eventually(|| {
            // The first look at who is there waits for the clock.
            fleet.clock.advance(Duration::from_millis(10));
            asking.is_finished()
        });
        asking.join().unwrap()
    });
    assert_eq!(answer.unwrap().status(), 200);
    drop(end);
}

#[test]
fn a_worker_that_vanishes_with_one_message_alone_was_an_attempt_of_it() {
    let fleet = ManualFleet::new("left");
    let client = fleet.client();
    assert_eq!(Service::builder(&client).on("mine", nothing).start().unwrap().stop(PATIENCE).abandoned, 0);
    let encoded = Event::new("mine").encode(&Default::default()).unwrap();
    fleet.send_to(QUARANTINE, &encoded.properties, &encoded.body);
    fleet.take_and_vanish(QUARANTINE);
    let (seen, handled) = mpsc::channel();
    let service = Service::builder(&client)
        .on("mine", move |context: &Context, _: Value| Ok(seen.send(context.attempt())?))
        .start()
        .unwrap();
    assert_eq!(handled.recv_timeout(PATIENCE), Ok(2));
    eventually(|| service.health().processed == 1 && service.health().dead_lettered == 0);
}
