//! Services and callers in memory, with the time in the test's hand.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use zc_events::{
    Clock, Context, Error, Event, EventClient, HandlerError, ResourceView, Served, Service, Settings, Stage, ViewResult,
};
use zc_events_protocol::{EncodeOptions, Properties};

use crate::support::{ManualFleet, PATIENCE, eventually};

#[test]
fn a_request_that_nobody_answers_ends_at_its_deadline_and_not_before() {
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
fn a_message_is_held_until_its_time_and_dropped_after_it() {
    let fleet = ManualFleet::new("eta");
    let (seen, handled) = mpsc::channel();
    let service = Service::builder(&fleet.client())
        .on("later", move |context: &Context, _: Value| Ok(seen.send(context.id().map(str::to_owned))?))
        .start()
        .unwrap();
    let now = fleet.clock.wall();
    let held = Event::new("later");
    let options = EncodeOptions { eta: Some(now + Duration::from_secs(60)), ..EncodeOptions::default() };
    let encoded = held.encode(&options).unwrap();
    fleet.publish(&encoded.properties, &encoded.body);
    let expired = EncodeOptions { expires: Some(now - Duration::from_secs(1)), ..EncodeOptions::default() };
    let encoded = Event::new("later").encode(&expired).unwrap();
    fleet.publish(&encoded.properties, &encoded.body);
    // For so long it does not wait in memory.
    let waits = || fleet.broker().queue_len("orders-events.retry.1m") == Some(1);
    eventually(|| service.health().expired == 1 && service.health().under_way == 0 && waits());
    assert_eq!(handled.try_recv(), Err(mpsc::TryRecvError::Empty));
    fleet.clock.advance(Duration::from_secs(61));
    assert_eq!(handled.recv_timeout(PATIENCE).unwrap().as_deref(), Some(held.id()));
    assert_eq!(service.stop(PATIENCE).abandoned, 0);
}

#[test]
fn a_failing_handler_costs_attempts_and_never_the_worker() {
    let fleet = ManualFleet::new("failing");
    let client = fleet.client();
    let service = Service::builder(&client)
        .on("panics", |_: &Context, _: Value| panic!("on purpose"))
        .on("fails", |_: &Context, _: Value| Err(HandlerError::new("no")))
        .on("gives_up", |_: &Context, _: Value| Err(HandlerError::new("no").permanent()))
        .on("typed", |_: &Context, _: Vec<u8>| Ok(()))
        .on("works", |_: &Context, _: Value| Ok(()))
        .workers(1)
        .start()
        .unwrap();
    for event_type in ["panics", "fails", "gives_up", "typed"] {
        client.emit(&Event::new(event_type)).unwrap();
    }
    fleet.publish(&Properties::default(), b"no message at all");
    client.emit(&Event::new("works")).unwrap();
    fleet.pass_time_until(&service, || service.health().processed == 1 && service.health().dead_lettered == 5);
    // Five attempts each for what may get better, one for what cannot.
    assert_eq!((service.health().failed, service.health().retried), (12, 8));
    assert_eq!(fleet.broker().queue_len("orders-events.dead"), Some(5));
}

struct Nothing;

impl ResourceView for Nothing {
    fn create(&self, context: &Context) -> ViewResult {
        let body = context.request().and_then(|request| request.body.clone());
        Ok(Served::with_status(201, json!({"data": {"type": "Order", "id": "9", "attributes": body}})))
    }

    fn destroy(&self, _: &Context, _: &str) -> ViewResult {
        Ok(Served::no_content())
    }
}

#[test]
fn what_a_view_does_not_do_is_answered_405() {
    use zc_events::Method::{Delete, Get, Patch, Post, Put};
    let client = ManualFleet::new("views").client();
    let _service = Service::builder(&client).resource("OrderItem", Nothing).start().unwrap();
    let ask = |method, pk: Option<&str>| {
        let request = client.remote("OrderItem").method(method).body(json!({"name": "x"}));
        pk.into_iter().fold(request, |request, pk| request.pk(pk))
    };
    // The time stands still, so that an answer is awaited for as long as it takes.
    for (method, pk, status) in [
        (Get, None, 405),
        (Get, Some("1"), 405),
        (Put, Some("1"), 405),
        (Patch, Some("1"), 405),
        (Put, None, 405),
        (Post, Some("1"), 405),
        (Post, None, 201),
        (Delete, Some("1"), 204),
    ] {
        assert_eq!(ask(method, pk).fetch_any().unwrap().status(), status, "{method:?} {pk:?}");
    }
    let created = ask(Post, None).fetch_document().unwrap();
    assert_eq!(created.object().unwrap().attributes["name"], "x");
    assert_eq!(ask(Delete, Some("1")).fetch_any().unwrap().data().unwrap(), None);
}

#[test]
fn a_handle_stops_a_service_that_waits_for_a_signal() {
    let service = Service::builder(&ManualFleet::new("handle").client()).start().unwrap();
    let handle = service.handle();
    let running = thread::spawn(|| service.run_until_signal());
    handle.stop();
    assert_eq!(running.join().unwrap().unwrap().abandoned, 0);
    assert!(!handle.health().consuming);
}

#[test]
fn a_handler_that_does_not_return_is_abandoned_and_its_message_goes_back() {
    let fleet = ManualFleet::new("stuck");
    let client = fleet.client();
    let (release, stuck) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    let stuck = std::sync::Mutex::new(stuck);
    let service = Service::builder(&client)
        .on("stuck", move |_: &Context, _: Value| {
            begin.send(())?;
            Ok(stuck.lock().map_err(|_| HandlerError::new("poisoned"))?.recv()?)
        })
        .start()
        .unwrap();
    client.emit(&Event::new("stuck")).unwrap();
    begun.recv_timeout(PATIENCE).unwrap();
    let handle = service.handle();
    let stopping = thread::spawn(move || service.stop(Duration::from_secs(5)));
    eventually(|| handle.health().stopping);
    fleet.clock.advance(Duration::from_secs(6));
    assert_eq!(stopping.join().unwrap().abandoned, 1);
    assert_eq!(fleet.broker().queue_len("orders-events"), Some(1));
    drop(release);
}

#[test]
fn a_service_needs_a_name_and_one_handler_for_a_type() {
    let settings = Settings::builder().broker_url("memory://").staging_name("test").build().unwrap();
    let client = EventClient::new(settings).unwrap();
    let error = Service::builder(&client).start().unwrap_err().to_string();
    assert!(error.contains("SERVICE_NAME"), "{error}");
    let client = ManualFleet::new("twice").client();
    let handler = |_: &Context, _: Value| Ok(());
    let error = Service::builder(&client).on("e", handler).on("e", handler).start().unwrap_err().to_string();
    assert!(error.contains("two handlers"), "{error}");
}
