//! Behaviours when the server restarts or accepts no messages. They need a server that may be broken, so they are
//! separate.

use std::time::Duration;

use zc_events_protocol::Properties;

use super::behaviour::{Breaker, FaultBehaviour};
use super::fixture::{Fixture, text};
use crate::{ConsumeOptions, Error, ExchangeKind, Outgoing, Presence, Queue, Result, Subscription, Topology};

/// All behaviours under faults.
pub fn fault_behaviours() -> impl Iterator<Item = FaultBehaviour> {
    [
        FaultBehaviour {
            name: "unacknowledged persistent messages survive a restart and are delivered again",
            check: kept,
        },
        FaultBehaviour { name: "a restart ends subscriptions, and the handle recovers", check: goes_on },
        FaultBehaviour { name: "a removed topology is not declared again by a new connection", check: stays_away },
        FaultBehaviour { name: "in an alarm sending returns Blocked, and consuming continues", check: blocked },
    ]
    .into_iter()
}

fn message<'a>(queue: &'a str, properties: &'a Properties, body: &'a str) -> Outgoing<'a> {
    Outgoing { exchange: "", routing_key: queue, mandatory: true, properties, body: body.as_bytes() }
}

/// A queue that survives a restart.
fn durable(fixture: &Fixture<'_>) -> String {
    let name = fixture.name("durable");
    fixture.declare(&Topology::new().queue(Queue::durable(&name))).expect("declaring a queue");
    fixture.owns(&name);
    name
}

fn put(fixture: &Fixture<'_>, queue: &str, delivery_mode: u8, body: &str) -> Result<()> {
    let properties = Properties { delivery_mode: Some(delivery_mode), ..Properties::default() };
    fixture.broker.send(&message(queue, &properties, body), fixture.soon())?.wait(fixture.soon())
}

/// Repeats an attempt until it succeeds, since the server may still be starting.
fn retry<T>(fixture: &Fixture<'_>, mut attempt: impl FnMut() -> Result<T>) -> T {
    let deadline = fixture.soon();
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(error) => assert!(!deadline.has_passed(fixture.suite.clock), "it does not recover: {error}"),
        }
    }
}

fn subscribe(fixture: &Fixture<'_>, queue: &str) -> Box<dyn Subscription> {
    retry(fixture, || fixture.broker.subscribe(queue, ConsumeOptions { prefetch: 10 }, fixture.soon()))
}

fn kept(fixture: &Fixture<'_>, breaker: &Breaker<'_>) {
    const TRANSIENT: u8 = 1;
    const PERSISTENT: u8 = 2;
    let queue = durable(fixture);
    for (mode, body) in [(PERSISTENT, "out"), (TRANSIENT, "lost"), (PERSISTENT, "kept")] {
        put(fixture, &queue, mode, body).expect("a confirm");
    }
    let before = fixture.subscribe(&queue, 2);
    let out = [fixture.next(&*before), fixture.next(&*before)];
    (breaker.restart)();
    // Too late: persistent messages are delivered again.
    out.iter().for_each(|delivery| delivery.settler.ack());
    let after = subscribe(fixture, &queue);
    fixture.expect(&*after, "out");
    fixture.expect(&*after, "kept");
    fixture.expect_nothing(&*after);
}

fn goes_on(fixture: &Fixture<'_>, breaker: &Breaker<'_>) {
    let queue = durable(fixture);
    let before = fixture.subscribe(&queue, 1);
    (breaker.restart)();
    match before.next(fixture.soon()) {
        Err(Error::Unavailable { .. }) => {}
        other => panic!("a lost subscription returns {other:?}"),
    }
    retry(fixture, || put(fixture, &queue, 2, "a"));
    let after = subscribe(fixture, &queue);
    fixture.expect(&*after, "a");
    assert!(fixture.broker.health().connected, "health reports no connection");
}

fn stays_away(fixture: &Fixture<'_>, breaker: &Breaker<'_>) {
    let (gone, kept) = (fixture.name("gone"), durable(fixture));
    let topology =
        Topology::new().exchange(&gone, ExchangeKind::Fanout).queue(Queue::durable(&gone)).bind(&gone, &gone, "");
    fixture.declare(&topology).expect("declaring");
    fixture.broker.remove(&topology, fixture.soon()).expect("removing");
    (breaker.restart)();
    retry(fixture, || put(fixture, &kept, 2, "a"));
    let found = fixture.broker.inspect(&topology, fixture.soon()).expect("inspecting");
    assert_eq!(found.queues[0].presence, Presence::Missing);
    assert_eq!(found.exchanges[0].presence, Presence::Missing);
}

fn blocked(fixture: &Fixture<'_>, breaker: &Breaker<'_>) {
    const SHORT: Duration = Duration::from_millis(200);
    let queue = fixture.queue("queue");
    put(fixture, &queue, 2, "before").expect("a confirm");
    (breaker.alarm)(true);
    // Messages that are sent before the alarm is known may be unconfirmed.
    let deadline = fixture.soon();
    let properties = Properties::default();
    let reason = loop {
        let soon = fixture.suite.clock.deadline(SHORT);
        match fixture
            .broker
            .send(&message(&queue, &properties, "meanwhile"), soon)
            .and_then(|receipt| receipt.wait(soon))
        {
            Err(Error::Blocked { reason }) => break reason,
            _ => assert!(!deadline.has_passed(fixture.suite.clock), "no call returns Blocked"),
        }
    };
    assert!(!reason.is_empty());
    assert!(fixture.broker.health().blocked.is_some(), "health does not report the alarm");
    let subscription = fixture.subscribe(&queue, 100);
    fixture.expect(&*subscription, "before").settler.ack();
    (breaker.alarm)(false);
    retry(fixture, || put(fixture, &queue, 2, "after"));
    assert!(fixture.broker.health().blocked.is_none(), "health still reports the alarm");
    // After the messages that were sent meanwhile, if any.
    while text(&fixture.next(&*subscription)) != "after" {}
}
