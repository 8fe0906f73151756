//! Queues and exchanges, declared by either side first: a service that moves from Python to Rust, or runs as both for a while.

use std::time::Duration;

use integration_tests::eventually;
use interop_python::{Caller, Fleet, PATIENCE, Worker, client};
use serde_json::{Value, json};
use zc_events::{Channel, Context, Error, Event, EventClient, HandlerError, Retry, Service};

use crate::interop::ours::{Seen, listening};

/// The queue of a service, as the two sides declare it.
const SERVICE: &str = "moving";
const EVENTS: usize = 60;

fn ours(fleet: &Fleet, max_priority: Option<u8>) -> EventClient {
    client(fleet.settings(SERVICE).events_queue_max_priority(max_priority).events_prefetch(4))
}

fn python(fleet: &Fleet, max_priority: Option<u8>) -> Worker {
    fleet.worker(SERVICE).max_priority(max_priority).start()
}

/// Both consume the one queue: each event is handled by one of them, and each of them handles some.
fn both_share_the_queue(fleet: &Fleet, service: &Service, seen: &Seen, python: &mut Worker) {
    let mut caller = fleet.caller("caller");
    for number in 0..EVENTS {
        caller.does("emit", json!({"event_type": "seen", "kwargs": {"number": number}}));
    }
    eventually(PATIENCE, || seen.count() + python.all().len() == EVENTS);
    let mut all = [seen.after(0), python.told("seen", 1)].concat();
    assert!(seen.count() > 0 && all.len() == EVENTS);
    all.sort_by_key(|record| record["kwargs"]["number"].as_u64());
    assert!(all.iter().enumerate().all(|(number, record)| record["kwargs"]["number"] == number));
    assert!(service.health().consuming && service.health().last_error.is_none(), "{:?}", service.health());
    assert!(python.runs());
}

/// Whether zc_events can emit as the service itself: it declares the service's queue, with a maximum, each time.
fn emits_as_itself(fleet: &Fleet) -> bool {
    let mut caller: Caller = fleet.caller(SERVICE);
    match caller.tries("emit", json!({"event_type": "unroutable"})) {
        Ok(_) => true,
        Err(raised) => {
            // The broker's 406 closes the channel; what of that zc_events shows depends on its pika.
            assert!(raised.class.starts_with("Channel"), "{raised:?}");
            false
        }
    }
}

#[test]
fn python_first_with_priorities() {
    let fleet = Fleet::new();
    let mut worker = python(&fleet, Some(10));
    let (service, seen) = listening(&ours(&fleet, Some(10)));
    let service = service.strict_topology().start().unwrap();
    both_share_the_queue(&fleet, &service, &seen, &mut worker);
    assert!(emits_as_itself(&fleet));
}

/// As the oldest README has it. Ours takes the queue as it is, whatever it is set to.
#[test]
fn python_first_without_priorities() {
    let fleet = Fleet::new();
    let mut worker = python(&fleet, None);
    let (service, seen) = listening(&ours(&fleet, Some(10)));
    let service = service.start().unwrap();
    both_share_the_queue(&fleet, &service, &seen, &mut worker);
    assert!(!emits_as_itself(&fleet));
    // Unless it is to be strict.
    let (strict, _) = listening(&ours(&fleet, Some(10)));
    let refused = strict.strict_topology().start().unwrap_err().to_string();
    assert!(refused.contains("x-max-priority") && refused.contains("EVENTS_QUEUE_MAX_PRIORITY"), "{refused}");
    let (strict, _) = listening(&ours(&fleet, None));
    assert!(strict.strict_topology().start().is_ok());
}

#[test]
fn rust_first_with_priorities() {
    let fleet = Fleet::new();
    let (service, seen) = listening(&ours(&fleet, Some(10)));
    let service = service.start().unwrap();
    let mut worker = python(&fleet, Some(10));
    both_share_the_queue(&fleet, &service, &seen, &mut worker);
    assert!(emits_as_itself(&fleet));
}

/// A fleet of the oldest README: EVENTS_QUEUE_MAX_PRIORITY=none.
#[test]
fn rust_first_without_priorities() {
    let fleet = Fleet::new();
    let (service, seen) = listening(&ours(&fleet, None));
    let service = service.start().unwrap();
    let mut worker = python(&fleet, None);
    both_share_the_queue(&fleet, &service, &seen, &mut worker);
    assert!(!emits_as_itself(&fleet));
}

/// The queue of notifications is Python's, too, with priorities or without in that of events.
#[test]
fn notification_queue_may_be_declared_by_either_first() {
    for (max_priority, ours_is_first) in [(Some(10), true), (None, true), (Some(10), false), (None, false)] {
        let fleet = Fleet::new();
        let (service, seen) = listening(&ours(&fleet, max_priority));
        let service = service.on_notification(None, "send_it", seen.handler()).strict_topology();
        let (service, mut worker) = if ours_is_first {
            let service = service.start().unwrap();
            (service, python(&fleet, max_priority))
        } else {
            let worker = python(&fleet, max_priority);
            (service.start().unwrap(), worker)
        };
        let client = fleet.client("caller");
        for number in 0..EVENTS {
            let event = Event::new("send_it").set("number", number).unwrap();
            client.notify(Channel::Email, &event).unwrap();
        }
        eventually(PATIENCE, || seen.count() + worker.all().len() == EVENTS);
        assert!(seen.count() > 0 && !worker.told("notified", 1).is_empty());
        let both = [seen.after(0), worker.told("notified", 1)].concat();
        let mut numbers = Vec::from_iter(both.iter().map(|record| record["kwargs"]["number"].as_u64().unwrap()));
        numbers.sort_unstable();
        assert_eq!(numbers, Vec::from_iter(0..EVENTS as u64));
        assert!(service.health().is_ready() && worker.runs());
    }
}

/// What ours fails at and puts off comes back to the queue that both share, and Python can take it from there as it was.
#[test]
fn message_delayed_by_rust_is_handled_by_python() {
    let fleet = Fleet::new();
    let second = Duration::from_secs(1);
    let failing = Service::builder(&ours(&fleet, Some(10)))
        .on("seen", |_: &Context, _: Value| Err(HandlerError::new("not yet moved")))
        .retry(Retry::attempts(100).backoff(second, second))
        .start()
        .unwrap();
    let mut caller = fleet.caller("caller");
    for number in 0..20 {
        let kwargs = json!({"number": number, "text": "café"});
        if number % 2 == 0 {
            caller.does("emit", json!({"event_type": "seen", "kwargs": kwargs}));
        } else {
            caller.does("send_task", json!({"args": ["seen"], "kwargs": kwargs}));
        }
    }
    eventually(PATIENCE, || failing.health().retried >= 20);
    let mut python = python(&fleet, Some(10));
    let mut taken = python.told("seen", 20);
    assert_eq!((taken.len(), failing.health().dead_lettered), (20, 0));
    taken.sort_by_key(|record| record["kwargs"]["number"].as_u64());
    for (number, record) in taken.iter().enumerate() {
        assert_eq!((&record["kwargs"]["number"], &record["kwargs"]["text"]), (&json!(number), &json!("café")));
    }
}

/// The exchanges of a client that only emits and asks, and a Python service that comes later.
#[test]
fn exchanges_are_declared_as_by_python() {
    let fleet = Fleet::new();
    let caller = fleet.client("caller");
    let event = Event::new("seen");
    assert!(matches!(caller.emit(&event), Err(Error::Unroutable { .. })));
    assert!(matches!(caller.notify(Channel::Email, &event), Err(Error::Unroutable { .. })));
    let mut worker = fleet.worker("python").start();
    caller.emit(&event).unwrap();
    caller.notify(Channel::Email, &event).unwrap();
    assert_eq!(worker.told("seen", 1)[0]["request"]["id"], event.id());
    assert_eq!(worker.told("notified", 1)[0]["kwargs"]["task_id"], event.id());
}
