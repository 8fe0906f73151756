//! Quorum queues: delivery counts, limits, priorities and fallbacks; and retry queues.

use std::time::Duration;

use zc_events_protocol::{HeaderValue, Headers, Properties};

use super::behaviour::Behaviour;
use super::fixture::{Fixture, plain, text};
use crate::{Delivery, Error, Queue, QuorumPriorities, Topology, Verdict};

pub(super) const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "a quorum queue counts how often a message was requeued", check: counted },
    Behaviour { name: "a quorum queue keeps the order of its messages", check: order },
    Behaviour { name: "a quorum queue treats priorities as its server does", check: priorities },
    Behaviour { name: "a quorum queue dead-letters a message that was requeued too often", check: limited },
    Behaviour { name: "quarantine and dead-letter queues requeue without a limit", check: unlimited },
    Behaviour { name: "an argument that the queue type does not have is rejected", check: refused },
    Behaviour { name: "a queue that is refused is declared with its fallback", check: fallback },
    Behaviour { name: "a queue with other arguments is an error if the topology is strict", check: strict },
    Behaviour { name: "a retry queue returns messages after its delay", check: retry },
    Behaviour { name: "a full retry queue refuses messages", check: full },
];

fn quorum<const N: usize>(fixture: &Fixture<'_>, stem: &str, arguments: [(&str, HeaderValue); N]) -> String {
    let mut queue = plain(&fixture.name(stem), arguments);
    queue.durable = true;
    queue.arguments.insert("x-queue-type".to_owned(), "quorum".into());
    declare(fixture, Topology::new().queue(queue))
}

/// Declares the only queue of a topology.
fn declare(fixture: &Fixture<'_>, topology: Topology) -> String {
    fixture.declare(&topology).expect("declaring a queue");
    let name = topology.queues[0].name.clone();
    fixture.owns(&name);
    name
}

fn count(delivery: &Delivery) -> Option<i64> {
    let headers = delivery.properties.headers.as_ref()?;
    headers.get("x-delivery-count").map(|count| count.as_int().expect("a number"))
}

fn counted(fixture: &Fixture<'_>) {
    let queue = quorum(fixture, "queue", []);
    fixture.put(&queue, "a");
    let subscription = fixture.subscribe(&queue, 1);
    let first = fixture.next(&*subscription);
    assert_eq!((count(&first), first.redelivered), (None, false));
    first.settler.settle(Verdict::Requeue);
    let second = fixture.next(&*subscription);
    assert_eq!((count(&second), second.redelivered), (Some(1), true));
    // The end of a subscription counts, too.
    drop(subscription);
    let subscription = fixture.subscribe(&queue, 1);
    let third = fixture.next(&*subscription);
    assert_eq!((count(&third), third.redelivered), (Some(2), true));
    third.settler.ack();
    fixture.expect_nothing(&*subscription);
}

fn order(fixture: &Fixture<'_>) {
    let queue = quorum(fixture, "queue", []);
    for body in ["a", "b", "c"] {
        fixture.put(&queue, body);
    }
    fixture.expect_content(&queue, &["a", "b", "c"]);
    // The broker chooses the position of a requeued message, but must deliver it.
    for body in ["a", "b"] {
        fixture.put(&queue, body);
    }
    let subscription = fixture.subscribe(&queue, 1);
    let first = fixture.next(&*subscription);
    assert_eq!(text(&first), "a");
    first.settler.settle(Verdict::Requeue);
    let mut rest = [(), ()].map(|()| {
        let delivery = fixture.next(&*subscription);
        delivery.settler.ack();
        text(&delivery)
    });
    rest.sort_unstable();
    assert_eq!(rest, ["a", "b"]);
}

fn priorities(fixture: &Fixture<'_>) {
    let queue = quorum(fixture, "queue", []);
    for (priority, body) in [(None, "a"), (Some(5), "b"), (Some(4), "c"), (Some(0), "d"), (Some(9), "e")] {
        fixture.put_with(&queue, &Properties { priority, ..Properties::default() }, body.as_bytes());
    }
    let expected = match fixture.suite.quorum_priorities {
        QuorumPriorities::Ignored => ["a", "b", "c", "d", "e"],
        QuorumPriorities::TwoLevels => ["b", "e", "a", "c", "d"],
    };
    fixture.expect_content(&queue, &expected);
}

fn limited(fixture: &Fixture<'_>) {
    let dead = declare(fixture, Topology::new().dead_queue(fixture.name("dead")));
    let to_dead = ("x-dead-letter-routing-key", dead.as_str().into());
    let queue =
        quorum(fixture, "queue", [("x-delivery-limit", 2.into()), ("x-dead-letter-exchange", "".into()), to_dead]);
    fixture.put(&queue, "a");
    let subscription = fixture.subscribe(&queue, 1);
    for returns in [None, Some(1), Some(2)] {
        let delivery = fixture.next(&*subscription);
        assert_eq!(count(&delivery), returns);
        delivery.settler.settle(Verdict::Requeue);
    }
    let letter = fixture.expect(&*fixture.subscribe(&dead, 1), "a");
    assert_eq!(count(&letter), None);
    let headers = letter.properties.headers.expect("headers with the reason");
    assert_eq!(headers.get("x-first-death-reason"), Some(&"delivery_limit".into()));
    fixture.expect_nothing(&*subscription);
}

fn unlimited(fixture: &Fixture<'_>) {
    let quarantine = declare(fixture, Topology::new().quarantine_queue(fixture.name("quarantine")));
    let dead = declare(fixture, Topology::new().dead_queue(fixture.name("dead")));
    for (queue, counts) in [(&quarantine, false), (&dead, true)] {
        fixture.put(queue, "a");
        let subscription = fixture.subscribe(queue, 1);
        // Since 4.0, RabbitMQ's default delivery limit of quorum queues is 20.
        for returns in 0..25 {
            let delivery = fixture.next(&*subscription);
            assert_eq!(delivery.redelivered, returns > 0);
            assert_eq!(count(&delivery), (counts && returns > 0).then_some(returns), "in {queue}");
            delivery.settler.settle(Verdict::Requeue);
        }
        drop(subscription);
        fixture.expect_content(queue, &["a"]);
    }
}

fn refused(fixture: &Fixture<'_>) {
    let name = fixture.name("refused");
    let quorum = |more: &[(&str, HeaderValue)]| {
        let mut arguments: Headers = more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        arguments.insert("x-queue-type".to_owned(), "quorum".into());
        Queue::durable(&name).arguments(arguments)
    };
    let classic =
        |key: &str, value: HeaderValue| Queue::durable(&name).arguments(Headers::from([(key.to_owned(), value)]));
    for (what, queue) in [
        ("x-max-priority", quorum(&[("x-max-priority", 10.into())])),
        ("non-durable", Queue { durable: false, ..quorum(&[]) }),
        ("exclusive", Queue { exclusive: true, ..quorum(&[]) }),
        ("x-delivery-limit", classic("x-delivery-limit", 3.into())),
        ("x-dead-letter-strategy", classic("x-dead-letter-strategy", "at-least-once".into())),
        ("x-queue-type", classic("x-queue-type", "stack".into())),
    ] {
        match fixture.declare(&Topology::new().queue(queue)) {
            Err(Error::Rejected { why }) => assert!(why.contains(what), "an error that does not name {what}: {why}"),
            other => panic!("{what}: it should be rejected, and is {other:?}"),
        }
    }
    fixture.expect_usable();
}

fn fallback(fixture: &Fixture<'_>) {
    let priorities = |max: i64| Headers::from([("x-max-priority".to_owned(), max.into())]);
    let mut arguments = priorities(10);
    arguments.insert("x-queue-type".to_owned(), "quorum".into());
    let fallback = Some(priorities(10));
    let mut topology =
        Topology::new().queue(Queue { fallback, ..Queue::durable(fixture.name("queue")).arguments(arguments) });
    topology.strict = true;
    let queue = declare(fixture, topology.clone());
    for (priority, body) in [(1, "low"), (9, "high")] {
        fixture.put_with(&queue, &Properties { priority: Some(priority), ..Properties::default() }, body.as_bytes());
    }
    // Declared again: it has its fallback arguments, which are no difference.
    fixture.declare(&topology).expect("declaring it again");
    fixture.expect_content(&queue, &["high", "low"]);
    // A fallback that is refused, too, is an error.
    let name = fixture.name("refused");
    topology.queues[0].name.clone_from(&name);
    topology.queues[0].fallback = Some(priorities(256));
    match fixture.declare(&topology) {
        Err(Error::Rejected { why }) => assert!(why.contains(&name), "{why}"),
        other => panic!("it should be rejected, and is {other:?}"),
    }
}

fn strict(fixture: &Fixture<'_>) {
    let queue = fixture.queue_with("queue", [("x-max-priority", 5.into())]);
    let mut topology = Topology::new().queue(plain(&queue, [("x-max-priority", 10.into())]));
    fixture.declare(&topology).expect("it is used as it is");
    topology.strict = true;
    match fixture.declare(&topology) {
        Err(Error::Rejected { why }) => {
            assert!(why.contains(&queue) && why.contains("x-max-priority"), "{why}");
        }
        other => panic!("it should be rejected, and is {other:?}"),
    }
    topology.queues = vec![plain(&queue, [("x-max-priority", 5.into())])];
    fixture.declare(&topology).expect("it is the same");
    fixture.expect_usable();
}

fn retry(fixture: &Fixture<'_>) {
    const DELAY: Duration = Duration::from_millis(300);
    let target = fixture.queue("target");
    let queue = declare(fixture, Topology::new().retry_queue(fixture.name("retry"), DELAY, &target));
    let subscription = fixture.subscribe(&target, 1);
    let clock = fixture.suite.clock;
    let sent = Properties { correlation_id: Some("id".to_owned()), ..Properties::default() };
    for round in 1..=2 {
        let start = clock.now();
        fixture.put_with(&queue, &sent, b"a");
        let delivery = fixture.expect(&*subscription, "a");
        let took = clock.now() - start;
        assert!(took >= DELAY - Duration::from_millis(1), "round {round}: it came after {took:?}");
        assert_eq!(delivery.routing_key, target);
        assert_eq!(delivery.properties.correlation_id, sent.correlation_id);
        let headers = delivery.properties.headers.expect("headers with the reason");
        assert_eq!(headers.get("x-first-death-reason"), Some(&"expired".into()));
        assert_eq!(headers.get("x-first-death-queue"), Some(&queue.as_str().into()));
    }
    fixture.expect_nothing(&*subscription);
}

fn full(fixture: &Fixture<'_>) {
    let target = fixture.queue("target");
    let mut topology = Topology::new().retry_queue(fixture.name("retry"), Duration::from_secs(600), target);
    topology.queues[0].arguments.insert("x-max-length".to_owned(), 1.into());
    let queue = declare(fixture, topology);
    let mut sent = 0;
    // A broker may notice with a delay that the queue is full.
    let refused = loop {
        assert!(sent < 1000, "1000 messages in a queue with a length of 1");
        match fixture.send("", &queue, true, "a").wait(fixture.soon()) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert!(sent > 0 && matches!(refused, Error::Nacked { .. }), "{sent} sent, then {refused:?}");
}
