//! The verdicts of receipts.

use zc_events_protocol::Outcome;

use super::behaviour::Behaviour;
use super::fixture::{Fixture, plain};
use crate::{Error, ExchangeKind};

pub(super) const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "a confirmed message is in its queue", check: confirmed },
    Behaviour { name: "receipts can be awaited in any order, or not at all", check: receipts },
    Behaviour { name: "a mandatory message that reaches no queue is unroutable", check: unroutable },
    Behaviour { name: "a message that is not mandatory may reach no queue", check: nowhere },
    Behaviour { name: "a missing exchange is rejected", check: missing_exchange },
    Behaviour { name: "a full queue that refuses a message is a nack", check: nacked },
];

fn confirmed(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    let receipt = fixture.send("", &queue, true, "a");
    receipt.wait(fixture.soon()).expect("a confirm");
    fixture.expect_content(&queue, &["a"]);
}

fn receipts(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    let bodies: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let mut receipts: Vec<_> = bodies.iter().map(|body| fixture.send("", &queue, true, body)).collect();
    let unroutable = fixture.send("", &fixture.name("missing"), true, "lost");
    receipts.truncate(50);
    unroutable.wait(fixture.soon()).expect_err("no such queue");
    while let Some(receipt) = receipts.pop() {
        receipt.wait(fixture.soon()).expect("a confirm");
    }
    let subscription = fixture.subscribe(&queue, 10);
    for body in &bodies {
        fixture.expect(&*subscription, body);
    }
}

fn unroutable(fixture: &Fixture<'_>) {
    let empty = fixture.exchange("empty", ExchangeKind::Fanout);
    let missing = fixture.name("missing");
    for (to, key) in [(empty.as_str(), "key"), ("", missing.as_str())] {
        match fixture.send(to, key, true, "lost").wait(fixture.soon()) {
            Err(error @ Error::Unroutable { .. }) => {
                assert_eq!(error.outcome(), Outcome::NotSent);
                let Error::Unroutable { exchange, routing_key } = error else { return };
                assert_eq!((exchange.as_str(), routing_key.as_str()), (to, key));
            }
            other => panic!("no queue takes it, and wait() gave {other:?}"),
        }
    }
    // The next message is not affected.
    let queue = fixture.queue("queue");
    fixture.bind(&queue, &empty, "");
    fixture.send(&empty, "key", true, "a").wait(fixture.soon()).expect("a confirm");
    fixture.expect_content(&queue, &["a"]);
}

fn nowhere(fixture: &Fixture<'_>) {
    let empty = fixture.exchange("empty", ExchangeKind::Fanout);
    fixture.send(&empty, "", false, "lost").wait(fixture.soon()).expect("a confirm");
    fixture.send("", &fixture.name("missing"), false, "lost").wait(fixture.soon()).expect("a confirm");
}

fn missing_exchange(fixture: &Fixture<'_>) {
    for mandatory in [false, true] {
        match fixture.send(&fixture.name("missing"), "", mandatory, "lost").wait(fixture.soon()) {
            Err(Error::Rejected { why }) => assert!(why.contains(&fixture.name("missing")), "{why}"),
            other => panic!("there is no such exchange, and wait() gave {other:?}"),
        }
    }
    fixture.expect_usable();
}

fn nacked(fixture: &Fixture<'_>) {
    let queue = plain(&fixture.name("queue"), [("x-max-length", 1.into()), ("x-overflow", "reject-publish".into())]);
    let name = queue.name.clone();
    fixture.declare(&crate::Topology::new().queue(queue)).expect("declaring");
    fixture.owns(&name);
    fixture.put(&name, "a");
    match fixture.send("", &name, true, "b").wait(fixture.soon()) {
        Err(error @ Error::Nacked { .. }) => assert_eq!(error.outcome(), Outcome::Unknown),
        other => panic!("the queue is full, and wait() gave {other:?}"),
    }
    fixture.expect(&*fixture.subscribe(&name, 1), "a");
    fixture.expect_usable();
}
