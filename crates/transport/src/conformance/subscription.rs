//! How a subscription waits, ends, and what it leaves behind.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Behaviour;
use super::scene::{Scene, plain, text};
use crate::{ConsumeOptions, Error, ExchangeKind, Queue, Topology, Verdict};

pub(super) const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "a subscription gives nothing at the deadline, on time", check: deadline },
    Behaviour { name: "a waiting subscription gets what is published", check: waiting },
    Behaviour { name: "a dropped subscription puts back what has no verdict", check: dropped },
    Behaviour { name: "a verdict after the subscription is gone is dropped", check: late_verdict },
    Behaviour { name: "a cancelled subscription gets no more, and may settle what it has", check: cancel },
    Behaviour { name: "a deleted queue rejects its subscriptions", check: deleted_queue },
    Behaviour { name: "a deleted queue can be declared again", check: declared_after_deletion },
    Behaviour { name: "who looks on has a queue of his own, which goes with him", check: looking_on },
];

fn deadline(scene: &Scene<'_>) {
    let mut subscription = scene.subscribe(&scene.queue("queue"), 1);
    let clock = scene.suite.clock;
    let wait = Duration::from_millis(200);
    for wait in [wait, Duration::ZERO] {
        let mut time = || {
            let start = clock.now();
            assert!(subscription.next(clock.deadline(wait)).expect("waiting").is_none());
            clock.now() - start
        };
        let times = [time(), time(), time()];
        assert!(times.iter().all(|took| *took >= wait), "it gave up after {times:?}");
        // A busy machine may be late once; a poll by the second is late each time.
        assert!(times.iter().any(|took| *took < wait + Duration::from_millis(800)), "it took {times:?}");
    }
}

fn waiting(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    let mut subscription = scene.subscribe(&queue, 1);
    let soon = scene.soon();
    std::thread::scope(|threads| {
        let waiter = threads.spawn(|| subscription.next(soon));
        scene.put(&queue, "a");
        let delivery = waiter.join().unwrap().expect("waiting").expect("a delivery");
        assert_eq!(delivery.body, b"a");
        delivery.settler.ack();
    });
}

fn dropped(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    for body in ["a", "b", "c"] {
        scene.put(&queue, body);
    }
    // One was given out, one waits in the client, and one is in the queue still.
    let mut first = scene.subscribe(&queue, 2);
    assert_eq!(text(&scene.next(&mut first)), "a");
    drop(first);
    let mut second = scene.subscribe(&queue, 3);
    let mut bodies = BTreeSet::new();
    for _ in 0..3 {
        let delivery = scene.next(&mut second);
        let body = text(&delivery);
        assert!(delivery.redelivered || body != "a", "it came before");
        delivery.settler.ack();
        bodies.insert(body);
    }
    assert_eq!(bodies.len(), 3, "{bodies:?}");
    scene.expect_nothing(&mut second);
}

fn late_verdict(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    scene.put(&queue, "a");
    let mut first = scene.subscribe(&queue, 1);
    let late = scene.next(&mut first);
    drop(first);
    let mut second = scene.subscribe(&queue, 1);
    let again = scene.next(&mut second);
    for verdict in [Verdict::Ack, Verdict::Reject, Verdict::Requeue] {
        late.settler.settle(verdict);
    }
    again.settler.settle(Verdict::Requeue);
    assert!(scene.expect(&mut second, "a").redelivered);
    late.settler.ack();
    scene.expect_nothing(&mut second);
}

fn cancel(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    for number in 0..6 {
        scene.put(&queue, &number.to_string());
    }
    let mut first = scene.subscribe(&queue, 3);
    let given = [scene.next(&mut first), scene.next(&mut first)];
    first.cancel(scene.soon()).expect("cancelling");
    scene.expect_nothing(&mut first);
    given[0].settler.ack();
    // Room, which must not be used.
    scene.expect_nothing(&mut first);
    let mut second = scene.subscribe(&queue, 6);
    let mut bodies: Vec<String> = (0..4).map(|_| text(&scene.next(&mut second))).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, ["2", "3", "4", "5"]);
    given[1].settler.settle(Verdict::Requeue);
    let back = scene.next(&mut second);
    assert_eq!((text(&back).as_str(), back.redelivered), ("1", true));
    drop(first);
    // The first one was acknowledged.
    scene.expect_nothing(&mut second);
}

fn deleted_queue(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    let mut subscription = scene.subscribe(&queue, 1);
    scene.put(&queue, "a");
    let delivery = scene.expect(&mut subscription, "a");
    (scene.suite.delete_queue)(&queue);
    scene.disowns(&queue);
    match subscription.next(scene.soon()) {
        Err(Error::Rejected { .. }) => {}
        other => panic!("the queue is gone, and next() gave {other:?}"),
    }
    assert!(subscription.next(scene.soon()).is_err(), "what failed, fails for good");
    delivery.settler.settle(Verdict::Requeue);
    drop(subscription);
    scene.expect_usable();
}

fn declared_after_deletion(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    scene.put(&queue, "lost with the queue");
    (scene.suite.delete_queue)(&queue);
    scene.declare(&Topology::new().queue(plain(&queue, []))).expect("declaring it again");
    scene.expect_content(&queue, &[]);
}

fn looking_on(scene: &Scene<'_>) {
    let (exchange, theirs) = (scene.exchange("events", ExchangeKind::Fanout), scene.queue("theirs"));
    scene.bind(&theirs, &exchange, "");
    let own = scene.name("own");
    let queue = Queue { durable: false, exclusive: true, ..Queue::durable(&own) };
    let topology = Topology::new().queue(queue).bind(&own, &exchange, "");
    let look = || scene.broker.subscribe_with(&topology, &own, ConsumeOptions::default(), scene.soon());
    let mut looking = look().expect("looking on");
    assert!(look().is_err(), "an exclusive queue has two owners");
    scene.publish(&exchange, "", "a");
    scene.expect(&mut looking, "a");
    // Nothing was taken from anybody.
    scene.expect_content(&theirs, &["a"]);
    drop(looking);
    scene.publish(&exchange, "", "b");
    // It is gone when its connection is, and so may be declared anew; nothing was kept meanwhile.
    let deadline = scene.soon();
    let mut again = loop {
        match look() {
            Ok(again) => break again,
            Err(error) => assert!(!deadline.has_passed(scene.suite.clock), "the queue stays: {error}"),
        }
    };
    scene.expect_nothing(&mut again);
    // It ends with the handle.
    let other = (scene.suite.make)();
    let mut of_other =
        other.subscribe_with(&named(&topology, scene), &scene.name("other"), ConsumeOptions::default(), scene.soon());
    let of_other = of_other.as_mut().expect("looking on");
    other.close(scene.soon()).expect("closing");
    assert!(of_other.next(scene.soon()).is_err(), "it outlives its handle");
}

/// The same for a queue of another name.
fn named(topology: &Topology, scene: &Scene<'_>) -> Topology {
    let name = scene.name("other");
    let mut topology = topology.clone();
    topology.queues[0].name.clone_from(&name);
    topology.bindings[0].queue.clone_from(&name);
    topology
}
