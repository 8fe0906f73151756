//! Refused calls, what they leave intact, and how a handle ends.

use super::behaviour::Behaviour;
use super::fixture::{Fixture, plain};
use crate::{ConsumeOptions, Error, ExchangeKind, Outgoing, Result, Topology};
use zc_events_protocol::Properties;

pub(super) const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "subscribing to a missing queue is rejected", check: missing_queue },
    Behaviour { name: "a binding of a missing queue or exchange is rejected", check: missing_binding },
    Behaviour { name: "invalid arguments are rejected", check: bad_arguments },
    Behaviour { name: "an expiration that is not a number is rejected", check: bad_expiration },
    Behaviour { name: "a closed handle refuses all calls", check: closed },
    Behaviour { name: "closing a handle ends its subscriptions", check: closed_subscription },
];

#[track_caller]
fn rejected<T>(result: Result<T>, name: &str) {
    match result {
        Err(Error::Rejected { why }) => assert!(why.contains(name), "an error that does not name {name}: {why}"),
        Err(other) => panic!("{name}: expected a rejection, got {other:?}"),
        Ok(_) => panic!("{name}: expected a rejection, got success"),
    }
}

fn missing_queue(fixture: &Fixture<'_>) {
    let missing = fixture.name("missing");
    for _ in 0..2 {
        rejected(fixture.broker.subscribe(&missing, ConsumeOptions::default(), fixture.soon()), &missing);
    }
    fixture.expect_usable();
}

fn missing_binding(fixture: &Fixture<'_>) {
    let (queue, exchange) = (fixture.queue("queue"), fixture.exchange("events", ExchangeKind::Fanout));
    let missing = fixture.name("missing");
    rejected(fixture.declare(&Topology::new().bind(&missing, &exchange, "")), &missing);
    rejected(fixture.declare(&Topology::new().bind(&queue, &missing, "")), &missing);
    // Neither is tried again.
    fixture.bind(&queue, &exchange, "");
    fixture.publish(&exchange, "", "a");
    fixture.expect_content(&queue, &["a"]);
    fixture.expect_usable();
}

fn bad_arguments(fixture: &Fixture<'_>) {
    for (key, value) in
        [("x-max-priority", "ten".into()), ("x-max-priority", 256.into()), ("x-message-ttl", (-1).into())]
    {
        let queue = plain(&fixture.name("refused"), [(key, value)]);
        rejected(fixture.declare(&Topology::new().queue(queue)), key);
    }
    fixture.expect_usable();
}

fn bad_expiration(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    for expiration in ["soon", "-1", "1.5", ""] {
        let properties = Properties { expiration: Some(expiration.to_owned()), ..Properties::default() };
        let message =
            Outgoing { exchange: "", routing_key: &queue, mandatory: true, properties: &properties, body: b"lost" };
        let sent = fixture.broker.send(&message, fixture.soon()).and_then(|receipt| receipt.wait(fixture.soon()));
        rejected(sent, "expiration");
    }
    fixture.expect_content(&queue, &[]);
}

fn closed(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    let handle = (fixture.suite.make)();
    handle.declare(&Topology::new().queue(plain(&queue, [])), fixture.soon()).expect("declaring");
    assert!(handle.health().connected);
    for _ in 0..2 {
        handle.close(fixture.soon()).expect("closing");
    }
    assert!(!handle.health().connected);
    let properties = Properties::default();
    let message = Outgoing { exchange: "", routing_key: &queue, mandatory: true, properties: &properties, body: b"b" };
    let calls = [
        handle.send(&message, fixture.soon()).map(drop),
        handle.declare(&Topology::new().queue(plain(&queue, [])), fixture.soon()),
        handle.subscribe(&queue, ConsumeOptions::default(), fixture.soon()).map(drop),
    ];
    for (number, call) in calls.into_iter().enumerate() {
        assert!(matches!(call, Err(Error::Closed)), "call {number} of a closed handle gave {call:?}");
    }
    // Other handles are not affected.
    fixture.put(&queue, "a");
    assert!(fixture.broker.health().connected);
    fixture.expect_content(&queue, &["a"]);
}

fn closed_subscription(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    fixture.put(&queue, "a");
    let handle = (fixture.suite.make)();
    let subscription = handle.subscribe(&queue, ConsumeOptions::default(), fixture.soon()).expect("subscribing");
    let delivery = fixture.next(&*subscription);
    handle.close(fixture.soon()).expect("closing");
    let ended = subscription.next(fixture.soon());
    assert!(matches!(ended, Err(Error::Closed | Error::Unavailable { .. })), "next() gave {ended:?}");
    // Unacknowledged messages are requeued before the subscription is dropped.
    delivery.settler.ack();
    assert!(fixture.expect(&*fixture.subscribe(&queue, 1), "a").redelivered);
}
