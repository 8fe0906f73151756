//! What calls carry with them, looked at where they arrive, in memory.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use zc_events_protocol::{Clock, Event, Limits, ManualClock, Stage, Task, names};
use zc_events_transport::memory::MemoryBroker;
use zc_events_transport::{Broker, ConsumeOptions, Delivery, Subscription, Topology};

use super::{EventClient, Scope};
use crate::{Error, Outcome, Protocol, Settings, SettingsBuilder};

const PATIENCE: Duration = Duration::from_secs(10);

struct Bench {
    clock: ManualClock,
    client: EventClient,
    arriving: Box<dyn Subscription>,
}

/// A client, and a queue that gets what it sends.
fn bench(name: &str, configure: impl FnOnce(SettingsBuilder) -> SettingsBuilder) -> Bench {
    let clock = ManualClock::new();
    let url = format!("memory://{name}");
    let settings =
        Settings::builder().broker_url(&url).events_redis_url(&url).staging_name("test").clock(Arc::new(clock.clone()));
    let client = EventClient::new(configure(settings).build().unwrap()).unwrap();
    let broker = MemoryBroker::named(name, Arc::new(clock.clone()));
    let deadline = clock.deadline(PATIENCE);
    let exchange = client.settings().events_exchange().to_owned();
    let topology = Topology::new()
        .exchange(&exchange, zc_events_transport::ExchangeKind::Fanout)
        .queue_with_priority("seen", None)
        .bind("seen", &exchange, "");
    broker.declare(&topology, deadline).unwrap();
    let arriving = broker.subscribe("seen", ConsumeOptions::default(), deadline).unwrap();
    Bench { clock, client, arriving }
}

impl Bench {
    fn next(&mut self) -> (Delivery, Task) {
        let delivery = self.arriving.next(self.clock.deadline(PATIENCE)).unwrap().unwrap();
        let task = Task::decode(&delivery.properties, &delivery.body, &Limits::default()).unwrap();
        (delivery, task)
    }
}

fn ids(task: &Task) -> (Option<&str>, Option<&str>) {
    (task.root_id.as_deref(), task.parent_id.as_deref())
}

fn within(root: &str, parent: &str) -> Scope {
    Scope { root_id: Some(root.to_owned()), parent_id: Some(parent.to_owned()), deadline: None, message: None }
}

#[test]
fn what_a_handler_sends_names_what_began_it_in_both_protocols() {
    for (name, protocol) in [("ids-1", Protocol::V1), ("ids-2", Protocol::V2)] {
        let mut bench = bench(name, |settings| settings.events_protocol(protocol));
        let scoped = bench.client.scoped(within("root", "parent"));
        scoped.emit(&Event::new("nested")).unwrap();
        assert_eq!(ids(&bench.next().1), (Some("root"), Some("parent")), "{protocol}");
        let _pending = scoped.remote("Order").pk("1").send().unwrap();
        let (_, request) = bench.next();
        assert_eq!(request.protocol, protocol);
        assert_eq!(ids(&request), (Some("root"), Some("parent")), "{protocol}");
        assert!(!request.kwargs.contains_key("root_id"), "handlers of Python take kwargs as they are");
    }
}

#[test]
fn what_is_sent_outside_of_a_handler_is_as_zc_events_sends_it() {
    let mut bench = bench("ids-none", |settings| settings);
    bench.client.emit(&Event::new("first")).unwrap();
    let (delivery, task) = bench.next();
    assert_eq!(ids(&task), (None, None));
    assert!(!String::from_utf8(delivery.body.to_vec()).unwrap().contains("root_id"));
}

#[test]
fn ids_that_are_none_are_not_passed_on() {
    let mut bench = bench("ids-bad", |settings| settings);
    let long = "x".repeat(names::MAX_NAME + 1);
    bench.client.scoped(within(&long, "a\nb")).emit(&Event::new("nested")).unwrap();
    assert_eq!(ids(&bench.next().1), (None, None));
}

#[test]
fn nested_calls_have_what_is_left_of_the_handlers_time() {
    let mut bench = bench("left", |settings| settings);
    let deadline = Some(bench.clock.deadline(Duration::from_secs(3)));
    let scoped = bench.client.scoped(Scope { deadline, ..Scope::default() });
    bench.clock.advance(Duration::from_secs(1));
    let pending = scoped.remote("Order").pk("1").timeout(Duration::from_secs(60)).send().unwrap();
    assert_eq!(Some(pending.deadline()), deadline);
    assert_eq!(bench.next().0.properties.expiration.as_deref(), Some("2000"));
    // A shorter timeout of its own stays as it is.
    let pending = scoped.remote("Order").pk("1").timeout(Duration::from_secs(1)).send().unwrap();
    assert!(Some(pending.deadline()) < deadline);

    bench.clock.advance(Duration::from_secs(2));
    let late = scoped.remote("Order").pk("1").send().unwrap_err();
    assert!(matches!(late, Error::Timeout { stage: Stage::Begin }), "{late:?}");
    assert_eq!(late.outcome(), crate::Outcome::NotSent);
    // What has happened is told nevertheless.
    scoped.emit(&Event::new("late")).unwrap();
}

#[test]
fn what_is_larger_than_allowed_is_not_sent() {
    let mut small = bench("small", |settings| settings.events_max_body(2000));
    let large = |bytes: usize| Event::new("large").set("text", "x".repeat(bytes)).unwrap();
    for error in [
        small.client.emit(&large(2000)).unwrap_err(),
        small.client.remote("Order").body("x".repeat(2000)).send().unwrap_err(),
    ] {
        assert!(matches!(error, Error::TooLarge { limit: 2000, .. }), "{error:?}");
    }
    small.client.emit(&large(1000)).unwrap();
    assert_eq!(small.next().1.event_type(), Some("large"));
    let ample = bench("ample", |settings| settings.events_max_body(20 << 20));
    ample.client.emit(&large(17 << 20)).unwrap();
    assert!(ample.arriving.next(ample.clock.deadline(PATIENCE)).unwrap().is_some());
}

#[test]
fn an_answer_larger_than_allowed_is_not_taken() {
    let bench = bench("replies", |settings| settings.events_max_reply(1024));
    let noise: Vec<u64> = (0..2000).map(|_| fastrand::u64(..)).collect();
    for (document, fits) in [(serde_json::json!(noise), false), (serde_json::json!([1]), true)] {
        let pending = bench.client.remote("Order").pk("1").send().unwrap();
        let answer = zc_events_protocol::Reply::new(200, &document).unwrap().encode().unwrap();
        assert_eq!(answer.len() <= 1024, fits);
        let store = bench.client.inner().store().unwrap();
        store.push(pending.response_key(), &answer, PATIENCE, bench.clock.deadline(PATIENCE)).unwrap();
        let awaited = pending.wait();
        assert_eq!(awaited.is_ok(), fits);
        assert!(fits || matches!(awaited, Err(Error::Decode { .. })));
    }
}

#[test]
fn health_tells_of_the_connection() {
    let bench = bench("health", |settings| settings);
    assert!(!bench.client.health().is_ready());
    bench.client.emit(&Event::new("e")).unwrap();
    let health = bench.client.health();
    assert!(health.is_ready() && health.has_reply_store && health.last_error.is_none());
    bench.client.close(PATIENCE).unwrap();
    assert!(!bench.client.health().connected);
}

/// If an exchange was deleted, the client cannot know which of several messages to it was refused.
#[test]
fn an_exchange_that_may_be_gone_is_declared_again() {
    let bench = bench("gone", |settings| settings);
    let inner = bench.client.inner();
    let after = |error: Error| {
        inner.has_exchange.iter().for_each(|has| has.store(true, Ordering::SeqCst));
        inner.invalidate_exchanges(&error);
        inner.has_exchange.iter().all(|has| !has.load(Ordering::SeqCst))
    };
    let lost = |outcome| Error::Unavailable { what: "lost".into(), outcome, source: None };
    assert!(after(lost(Outcome::Unknown)));
    assert!(after(Error::Rejected { why: "no exchange".into(), outcome: Outcome::NotSent }));
    assert!(!after(lost(Outcome::NotSent)));
    assert!(!after(Error::Timeout { stage: Stage::Confirm }));
}
