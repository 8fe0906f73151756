//! The order of deliveries, and the effect of verdicts.

use zc_events_protocol::{HeaderValue, Properties};

use super::behaviour::Behaviour;
use super::fixture::Fixture;
use crate::Verdict;

pub(super) const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "a queue keeps the order of its messages", check: order },
    Behaviour { name: "higher priorities are delivered first", check: priorities },
    Behaviour { name: "priorities have no effect on a queue without a maximum", check: no_priorities },
    Behaviour { name: "an acknowledged message is deleted", check: ack },
    Behaviour {
        name: "a requeued message is delivered again, at its position and marked as redelivered",
        check: requeue,
    },
    Behaviour { name: "a rejected message is deleted", check: reject },
    Behaviour { name: "a rejected message goes to the dead letter exchange", check: dead_letter },
    Behaviour { name: "a second verdict is ignored", check: second_verdict },
    Behaviour { name: "verdicts may come from any thread, in any order", check: verdicts_elsewhere },
];

fn order(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    let bodies: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    let receipts: Vec<_> = bodies.iter().map(|body| fixture.send("", &queue, true, body)).collect();
    receipts.into_iter().for_each(|receipt| receipt.wait(fixture.soon()).expect("a confirm"));
    let subscription = fixture.subscribe(&queue, 10);
    for body in &bodies {
        fixture.expect(&*subscription, body);
    }
}

fn put_prioritised(fixture: &Fixture<'_>, queue: &str) {
    for (priority, body) in [
        (None, "none"),
        (Some(5), "five"),
        (Some(0), "zero"),
        (Some(10), "ten"),
        (Some(200), "200"),
        (Some(5), "five again"),
    ] {
        fixture.put_with(queue, &Properties { priority, ..Properties::default() }, body.as_bytes());
    }
}

fn priorities(fixture: &Fixture<'_>) {
    let queue = fixture.queue_with("queue", [("x-max-priority", 10.into())]);
    put_prioritised(fixture, &queue);
    // A priority above the maximum counts as the maximum; no priority counts as 0.
    let subscription = fixture.subscribe(&queue, 1);
    for body in ["ten", "200", "five", "five again", "none", "zero"] {
        fixture.expect(&*subscription, body);
    }
}

fn no_priorities(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    put_prioritised(fixture, &queue);
    fixture.expect_content(&queue, &["none", "five", "zero", "ten", "200", "five again"]);
}

fn ack(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    for body in ["a", "b", "c"] {
        fixture.put(&queue, body);
    }
    let first = fixture.subscribe(&queue, 3);
    let deliveries = ["a", "b", "c"].map(|_| fixture.next(&*first));
    deliveries[1].settler.ack();
    drop(first);
    let second = fixture.subscribe(&queue, 3);
    for body in ["a", "c"] {
        assert!(fixture.expect(&*second, body).redelivered);
    }
    fixture.expect_nothing(&*second);
}

fn requeue(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    for body in ["a", "b"] {
        fixture.put(&queue, body);
    }
    let subscription = fixture.subscribe(&queue, 1);
    let first = fixture.next(&*subscription);
    assert!(!first.redelivered);
    first.settler.settle(Verdict::Requeue);
    for _ in 0..2 {
        let again = fixture.next(&*subscription);
        assert_eq!(again.body, b"a");
        assert!(again.redelivered);
        assert_eq!(again.properties, first.properties);
        again.settler.settle(Verdict::Requeue);
    }
    assert!(fixture.expect(&*subscription, "a").redelivered);
    assert!(!fixture.expect(&*subscription, "b").redelivered);
}

fn reject(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    fixture.put(&queue, "a");
    let subscription = fixture.subscribe(&queue, 1);
    fixture.next(&*subscription).settler.settle(Verdict::Reject);
    fixture.put(&queue, "b");
    assert!(!fixture.expect(&*subscription, "b").redelivered);
    drop(subscription);
    fixture.expect_content(&queue, &[]);
}

fn dead_letter(fixture: &Fixture<'_>) {
    let dead = fixture.queue("dead");
    let routing_key = ("x-dead-letter-routing-key", dead.as_str().into());
    let queue = fixture.queue_with("queue", [("x-dead-letter-exchange", "".into()), routing_key]);
    let sent = Properties { correlation_id: Some("id".to_owned()), ..Properties::default() };
    fixture.put_with(&queue, &sent, b"a");
    fixture.next(&*fixture.subscribe(&queue, 1)).settler.settle(Verdict::Reject);
    let letter = fixture.expect(&*fixture.subscribe(&dead, 1), "a");
    assert_eq!(letter.routing_key, dead);
    assert_eq!(letter.properties.correlation_id, sent.correlation_id);
    let headers = letter.properties.headers.expect("headers with the reason");
    assert_eq!(headers.get("x-first-death-reason"), Some(&"rejected".into()));
    assert_eq!(headers.get("x-first-death-queue"), Some(&queue.as_str().into()));
    assert!(
        matches!(headers.get("x-death"), Some(HeaderValue::List(deaths)) if matches!(&deaths[..], [HeaderValue::Table(death)]
            if death.get("count") == Some(&1.into()) && death.get("reason") == Some(&"rejected".into()))),
        "{headers:?}"
    );
}

fn second_verdict(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    for body in ["a", "b", "c"] {
        fixture.put(&queue, body);
    }
    let subscription = fixture.subscribe(&queue, 1);
    let first = fixture.next(&*subscription);
    first.settler.ack();
    first.settler.ack();
    first.settler.settle(Verdict::Requeue);
    let second = fixture.next(&*subscription);
    assert_eq!(second.body, b"b");
    first.settler.clone().settle(Verdict::Reject);
    second.settler.settle(Verdict::Reject);
    second.settler.ack();
    fixture.expect(&*subscription, "c");
    drop(subscription);
    fixture.expect_content(&queue, &[]);
}

fn verdicts_elsewhere(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    for number in 0..20 {
        fixture.put(&queue, &number.to_string());
    }
    let subscription = fixture.subscribe(&queue, 20);
    let mut settlers: Vec<_> = (0..20).map(|_| fixture.next(&*subscription).settler).collect();
    settlers.rotate_left(7);
    std::thread::scope(|threads| {
        for half in settlers.chunks(10) {
            threads.spawn(move || half.iter().rev().for_each(crate::Settler::ack));
        }
    });
    // There is room for 20 more only if all verdicts have arrived.
    for number in 20..40 {
        fixture.put(&queue, &number.to_string());
    }
    for number in 20..40 {
        fixture.expect(&*subscription, &number.to_string());
    }
    drop(subscription);
    fixture.expect_content(&queue, &[]);
}
