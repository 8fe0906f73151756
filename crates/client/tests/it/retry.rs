//! Retries: attempts, backoff and the retry queues, in memory, where the test moves the time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use zc_events::{Clock, Context, Event, HandlerError, ResourceView, Retry, Service, Value, ViewResult};
use zc_events_protocol::{EncodeOptions, HeaderValue, Properties};

use crate::support::{DEAD, ManualFleet, QUEUE, declare_full, eventually, header, nothing, reason};

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
fn failing_handler_is_retried_with_backoff_then_dead_lettered() {
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
fn retry_after_overrides_the_backoff() {
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
fn failing_or_panicking_handler_never_ends_the_worker() {
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

#[test]
fn panic_in_display_of_an_error_counts_as_a_failed_attempt() {
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

#[test]
fn panic_in_the_retry_predicate_dead_letters_the_message_and_spares_the_worker() {
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

#[test]
fn deleted_retry_queue_is_declared_again() {
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
fn full_retry_queue_keeps_the_message_and_delays_the_next_attempt() {
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
    assert_eq!(service.health().blocked_moves, 1);
    assert_eq!((fleet.broker().queue_len(QUEUE), fleet.broker().unacked(QUEUE)), (Some(0), Some(1)));
    assert!(fleet.broker().delete_queue("orders-events.retry.1s"));
    fleet.pass_time_until(&service, || service.health().processed == 1);
    assert_eq!((count.load(Ordering::SeqCst), service.health().retried, service.health().blocked_moves), (2, 1, 0));
}
