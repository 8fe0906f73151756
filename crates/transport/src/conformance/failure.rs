//! What is refused, what that leaves intact, and how a handle ends.

use super::Behaviour;
use super::scene::{Scene, plain};
use crate::{ConsumeOptions, Error, ExchangeKind, Outgoing, Result, Topology};
use zc_events_protocol::Properties;

pub(super) const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "subscribing to a missing queue is rejected", check: missing_queue },
    Behaviour { name: "binding what is missing is rejected", check: missing_binding },
    Behaviour { name: "arguments that make no sense are rejected", check: bad_arguments },
    Behaviour { name: "an expiration that is no number is rejected", check: bad_expiration },
    Behaviour { name: "a closed handle refuses all calls", check: closed },
    Behaviour { name: "closing a handle ends its subscriptions", check: closed_subscription },
];

#[track_caller]
fn rejected<T>(result: Result<T>, name: &str) {
    match result {
        Err(Error::Rejected { why }) => assert!(why.contains(name), "an error that does not name {name}: {why}"),
        Err(other) => panic!("{name}: it should be rejected, and is {other:?}"),
        Ok(_) => panic!("{name}: it should be rejected, and is not"),
    }
}

fn missing_queue(scene: &Scene<'_>) {
    let missing = scene.name("missing");
    for _ in 0..2 {
        rejected(scene.broker.subscribe(&missing, ConsumeOptions::default(), scene.soon()), &missing);
    }
    scene.expect_usable();
}

fn missing_binding(scene: &Scene<'_>) {
    let (queue, exchange) = (scene.queue("queue"), scene.exchange("events", ExchangeKind::Fanout));
    let missing = scene.name("missing");
    rejected(scene.declare(&Topology::new().bind(&missing, &exchange, "")), &missing);
    rejected(scene.declare(&Topology::new().bind(&queue, &missing, "")), &missing);
    // Neither is tried again.
    scene.bind(&queue, &exchange, "");
    scene.publish(&exchange, "", "a");
    scene.expect_content(&queue, &["a"]);
    scene.expect_usable();
}

fn bad_arguments(scene: &Scene<'_>) {
    for (key, value) in
        [("x-max-priority", "ten".into()), ("x-max-priority", 256.into()), ("x-message-ttl", (-1).into())]
    {
        let queue = plain(&scene.name("refused"), [(key, value)]);
        rejected(scene.declare(&Topology::new().queue(queue)), key);
    }
    scene.expect_usable();
}

fn bad_expiration(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    for expiration in ["soon", "-1", "1.5", ""] {
        let properties = Properties { expiration: Some(expiration.to_owned()), ..Properties::default() };
        let message =
            Outgoing { exchange: "", routing_key: &queue, mandatory: true, properties: &properties, body: b"lost" };
        let sent = scene.broker.send(&message, scene.soon()).and_then(|receipt| receipt.wait(scene.soon()));
        rejected(sent, "expiration");
    }
    scene.expect_content(&queue, &[]);
}

fn closed(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    let handle = (scene.suite.make)();
    handle.declare(&Topology::new().queue(plain(&queue, [])), scene.soon()).expect("declaring");
    assert!(handle.health().connected);
    for _ in 0..2 {
        handle.close(scene.soon()).expect("closing");
    }
    assert!(!handle.health().connected);
    let properties = Properties::default();
    let message = Outgoing { exchange: "", routing_key: &queue, mandatory: true, properties: &properties, body: b"b" };
    let calls = [
        handle.send(&message, scene.soon()).map(drop),
        handle.declare(&Topology::new().queue(plain(&queue, [])), scene.soon()),
        handle.subscribe(&queue, ConsumeOptions::default(), scene.soon()).map(drop),
    ];
    for (number, call) in calls.into_iter().enumerate() {
        assert!(matches!(call, Err(Error::Closed)), "call {number} of a closed handle gave {call:?}");
    }
    // The other handles know nothing of it.
    scene.put(&queue, "a");
    assert!(scene.broker.health().connected);
    scene.expect_content(&queue, &["a"]);
}

fn closed_subscription(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    scene.put(&queue, "a");
    let handle = (scene.suite.make)();
    let mut subscription = handle.subscribe(&queue, ConsumeOptions::default(), scene.soon()).expect("subscribing");
    let delivery = scene.next(&mut subscription);
    handle.close(scene.soon()).expect("closing");
    let ended = subscription.next(scene.soon());
    assert!(matches!(ended, Err(Error::Closed | Error::Unavailable { .. })), "next() gave {ended:?}");
    // What had no verdict is back, before the subscription is dropped.
    delivery.settler.ack();
    assert!(scene.expect(&mut scene.subscribe(&queue, 1), "a").redelivered);
}
