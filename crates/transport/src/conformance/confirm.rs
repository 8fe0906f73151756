//! What a receipt says.

use zc_events_protocol::Outcome;

use super::Behaviour;
use super::scene::{Scene, plain};
use crate::{Error, ExchangeKind};

pub(super) const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "a confirmed message is in its queue", check: confirmed },
    Behaviour { name: "receipts may be waited for in any order, or not at all", check: receipts },
    Behaviour { name: "a mandatory message that no queue takes is unroutable", check: unroutable },
    Behaviour { name: "a message that is not mandatory may go nowhere", check: nowhere },
    Behaviour { name: "a missing exchange is rejected", check: missing_exchange },
    Behaviour { name: "a full queue that refuses is a nack", check: nacked },
];

fn confirmed(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    let receipt = scene.send("", &queue, true, "a");
    receipt.wait(scene.soon()).expect("a confirm");
    scene.expect_content(&queue, &["a"]);
}

fn receipts(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    let bodies: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let mut receipts: Vec<_> = bodies.iter().map(|body| scene.send("", &queue, true, body)).collect();
    let unroutable = scene.send("", &scene.name("missing"), true, "lost");
    receipts.truncate(50);
    unroutable.wait(scene.soon()).expect_err("no such queue");
    while let Some(receipt) = receipts.pop() {
        receipt.wait(scene.soon()).expect("a confirm");
    }
    let mut subscription = scene.subscribe(&queue, 10);
    for body in &bodies {
        scene.expect(&mut subscription, body);
    }
}

fn unroutable(scene: &Scene<'_>) {
    let empty = scene.exchange("empty", ExchangeKind::Fanout);
    let missing = scene.name("missing");
    for (to, key) in [(empty.as_str(), "key"), ("", missing.as_str())] {
        match scene.send(to, key, true, "lost").wait(scene.soon()) {
            Err(error @ Error::Unroutable { .. }) => {
                assert_eq!(error.outcome(), Outcome::NotSent);
                let Error::Unroutable { exchange, routing_key } = error else { return };
                assert_eq!((exchange.as_str(), routing_key.as_str()), (to, key));
            }
            other => panic!("no queue takes it, and wait() gave {other:?}"),
        }
    }
    // The next one is not blamed for it.
    let queue = scene.queue("queue");
    scene.bind(&queue, &empty, "");
    scene.send(&empty, "key", true, "a").wait(scene.soon()).expect("a confirm");
    scene.expect_content(&queue, &["a"]);
}

fn nowhere(scene: &Scene<'_>) {
    let empty = scene.exchange("empty", ExchangeKind::Fanout);
    scene.send(&empty, "", false, "lost").wait(scene.soon()).expect("a confirm");
    scene.send("", &scene.name("missing"), false, "lost").wait(scene.soon()).expect("a confirm");
}

fn missing_exchange(scene: &Scene<'_>) {
    for mandatory in [false, true] {
        match scene.send(&scene.name("missing"), "", mandatory, "lost").wait(scene.soon()) {
            Err(Error::Rejected { why }) => assert!(why.contains(&scene.name("missing")), "{why}"),
            other => panic!("there is no such exchange, and wait() gave {other:?}"),
        }
    }
    scene.expect_usable();
}

fn nacked(scene: &Scene<'_>) {
    let queue = plain(&scene.name("queue"), [("x-max-length", 1.into()), ("x-overflow", "reject-publish".into())]);
    let name = queue.name.clone();
    scene.declare(&crate::Topology::new().queue(queue)).expect("declaring");
    scene.owns(&name);
    scene.put(&name, "a");
    match scene.send("", &name, true, "b").wait(scene.soon()) {
        Err(error @ Error::Nacked { .. }) => assert_eq!(error.outcome(), Outcome::Unknown),
        other => panic!("the queue is full, and wait() gave {other:?}"),
    }
    scene.expect(&mut scene.subscribe(&name, 1), "a");
    scene.expect_usable();
}
