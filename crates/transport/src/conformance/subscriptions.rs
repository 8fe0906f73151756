//! How a subscription waits and ends, and what it requeues.

use std::collections::BTreeSet;
use std::time::Duration;

use super::behaviour::Behaviour;
use super::fixture::{Fixture, plain, text};
use crate::{ConsumeOptions, Error, ExchangeKind, Queue, Topology, Verdict};

pub(super) const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "a subscription returns nothing at the deadline, on time", check: deadline },
    Behaviour { name: "a waiting subscription gets a message that is published", check: waiting },
    Behaviour { name: "a dropped subscription requeues unacknowledged messages", check: dropped },
    Behaviour { name: "a verdict after the end of the subscription is ignored", check: late_verdict },
    Behaviour { name: "a cancelled subscription gets no more messages, and may settle those it has", check: cancel },
    Behaviour { name: "a deleted queue rejects its subscriptions", check: deleted_queue },
    Behaviour { name: "a deleted queue can be declared again", check: declared_after_deletion },
    Behaviour { name: "a watching client has an exclusive queue, which is deleted with it", check: watching },
];

fn deadline(fixture: &Fixture<'_>) {
    let subscription = fixture.subscribe(&fixture.queue("queue"), 1);
    let clock = fixture.suite.clock;
    let wait = Duration::from_millis(200);
    for wait in [wait, Duration::ZERO] {
        let time = || {
            let start = clock.now();
            assert!(subscription.next(clock.deadline(wait)).expect("waiting").is_none());
            clock.now() - start
        };
        let times = [time(), time(), time()];
        assert!(times.iter().all(|took| *took >= wait), "it gave up after {times:?}");
        // A busy machine may be late once. An implementation that polls every second is late each time.
        assert!(times.iter().any(|took| *took < wait + Duration::from_millis(800)), "it took {times:?}");
    }
}

fn waiting(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    let subscription = fixture.subscribe(&queue, 1);
    let soon = fixture.soon();
    std::thread::scope(|threads| {
        let waiter = threads.spawn(|| subscription.next(soon));
        fixture.put(&queue, "a");
        let delivery = waiter.join().unwrap().expect("waiting").expect("a delivery");
        assert_eq!(delivery.body, b"a");
        delivery.settler.ack();
    });
}

fn dropped(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    for body in ["a", "b", "c"] {
        fixture.put(&queue, body);
    }
    // One message was returned, one waits in the client, and one is still in the queue.
    let first = fixture.subscribe(&queue, 2);
    assert_eq!(text(&fixture.next(&*first)), "a");
    drop(first);
    let second = fixture.subscribe(&queue, 3);
    let mut bodies = BTreeSet::new();
    for _ in 0..3 {
        let delivery = fixture.next(&*second);
        let body = text(&delivery);
        assert!(delivery.redelivered || body != "a", "it came before");
        delivery.settler.ack();
        bodies.insert(body);
    }
    assert_eq!(bodies.len(), 3, "{bodies:?}");
    fixture.expect_nothing(&*second);
}

fn late_verdict(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    fixture.put(&queue, "a");
    let first = fixture.subscribe(&queue, 1);
    let late = fixture.next(&*first);
    drop(first);
    let second = fixture.subscribe(&queue, 1);
    let again = fixture.next(&*second);
    for verdict in [Verdict::Ack, Verdict::Reject, Verdict::Requeue] {
        late.settler.settle(verdict);
    }
    again.settler.settle(Verdict::Requeue);
    assert!(fixture.expect(&*second, "a").redelivered);
    late.settler.ack();
    fixture.expect_nothing(&*second);
}

fn cancel(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    for number in 0..6 {
        fixture.put(&queue, &number.to_string());
    }
    let first = fixture.subscribe(&queue, 3);
    let given = [fixture.next(&*first), fixture.next(&*first)];
    first.cancel(fixture.soon()).expect("cancelling");
    fixture.expect_nothing(&*first);
    given[0].settler.ack();
    // There is room, which must not be used.
    fixture.expect_nothing(&*first);
    let second = fixture.subscribe(&queue, 6);
    let mut bodies: Vec<String> = (0..4).map(|_| text(&fixture.next(&*second))).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, ["2", "3", "4", "5"]);
    given[1].settler.settle(Verdict::Requeue);
    let back = fixture.next(&*second);
    assert_eq!((text(&back).as_str(), back.redelivered), ("1", true));
    drop(first);
    // The first message was acknowledged.
    fixture.expect_nothing(&*second);
}

fn deleted_queue(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    let subscription = fixture.subscribe(&queue, 1);
    fixture.put(&queue, "a");
    let delivery = fixture.expect(&*subscription, "a");
    (fixture.suite.delete_queue)(&queue);
    fixture.disowns(&queue);
    match subscription.next(fixture.soon()) {
        Err(Error::Rejected { .. }) => {}
        other => panic!("the queue is gone, and next() gave {other:?}"),
    }
    assert!(subscription.next(fixture.soon()).is_err(), "what failed, fails for good");
    delivery.settler.settle(Verdict::Requeue);
    drop(subscription);
    fixture.expect_usable();
}

fn declared_after_deletion(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    fixture.put(&queue, "lost with the queue");
    (fixture.suite.delete_queue)(&queue);
    fixture.declare(&Topology::new().queue(plain(&queue, []))).expect("declaring it again");
    fixture.expect_content(&queue, &[]);
}

fn watching(fixture: &Fixture<'_>) {
    let (exchange, theirs) = (fixture.exchange("events", ExchangeKind::Fanout), fixture.queue("theirs"));
    fixture.bind(&theirs, &exchange, "");
    let own = fixture.name("own");
    let queue = Queue { durable: false, exclusive: true, ..Queue::durable(&own) };
    let topology = Topology::new().queue(queue).bind(&own, &exchange, "");
    let watch = || fixture.broker.subscribe_with(&topology, &own, ConsumeOptions::default(), fixture.soon());
    let watching = watch().expect("watching");
    assert!(watch().is_err(), "an exclusive queue has two owners");
    fixture.publish(&exchange, "", "a");
    fixture.expect(&*watching, "a");
    // No other queue lost a message.
    fixture.expect_content(&theirs, &["a"]);
    drop(watching);
    fixture.publish(&exchange, "", "b");
    // It is deleted with its connection, so it may be declared again. It kept no messages meanwhile.
    let deadline = fixture.soon();
    let again = loop {
        match watch() {
            Ok(again) => break again,
            Err(error) => assert!(!deadline.has_passed(fixture.suite.clock), "the queue stays: {error}"),
        }
    };
    fixture.expect_nothing(&*again);
    // It ends with the handle.
    let other = (fixture.suite.make)();
    let mut of_other = other.subscribe_with(
        &named(&topology, fixture),
        &fixture.name("other"),
        ConsumeOptions::default(),
        fixture.soon(),
    );
    let of_other = of_other.as_mut().expect("watching");
    other.close(fixture.soon()).expect("closing");
    assert!(of_other.next(fixture.soon()).is_err(), "it outlives its handle");
}

/// The same for a queue of another name.
fn named(topology: &Topology, fixture: &Fixture<'_>) -> Topology {
    let name = fixture.name("other");
    let mut topology = topology.clone();
    topology.queues[0].name.clone_from(&name);
    topology.bindings[0].queue.clone_from(&name);
    topology
}
