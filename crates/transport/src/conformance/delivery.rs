//! In which order messages are delivered, and what a verdict does to them.

use zc_events_protocol::{HeaderValue, Properties};

use super::Behaviour;
use super::scene::Scene;
use crate::Verdict;

pub(super) const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "a queue keeps the order of its messages", check: order },
    Behaviour { name: "higher priorities are delivered first", check: priorities },
    Behaviour { name: "priorities have no effect on a queue without a maximum", check: no_priorities },
    Behaviour { name: "an acknowledged message is gone", check: ack },
    Behaviour { name: "a requeued message comes again, in its place and marked", check: requeue },
    Behaviour { name: "a rejected message is gone", check: reject },
    Behaviour { name: "a rejected message goes to the dead letter exchange", check: dead_letter },
    Behaviour { name: "a second verdict is dropped", check: second_verdict },
    Behaviour { name: "a verdict may come from any thread, in any order", check: verdicts_elsewhere },
];

fn order(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    let bodies: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    let receipts: Vec<_> = bodies.iter().map(|body| scene.send("", &queue, true, body)).collect();
    receipts.into_iter().for_each(|receipt| receipt.wait(scene.soon()).expect("a confirm"));
    let mut subscription = scene.subscribe(&queue, 10);
    for body in &bodies {
        scene.expect(&mut subscription, body);
    }
}

fn put_prioritised(scene: &Scene<'_>, queue: &str) {
    for (priority, body) in [
        (None, "none"),
        (Some(5), "five"),
        (Some(0), "zero"),
        (Some(10), "ten"),
        (Some(200), "200"),
        (Some(5), "five again"),
    ] {
        scene.put_with(queue, &Properties { priority, ..Properties::default() }, body.as_bytes());
    }
}

fn priorities(scene: &Scene<'_>) {
    let queue = scene.queue_with("queue", [("x-max-priority", 10.into())]);
    put_prioritised(scene, &queue);
    // Above the maximum counts as the maximum; none counts as 0.
    let mut subscription = scene.subscribe(&queue, 1);
    for body in ["ten", "200", "five", "five again", "none", "zero"] {
        scene.expect(&mut subscription, body);
    }
}

fn no_priorities(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    put_prioritised(scene, &queue);
    scene.expect_content(&queue, &["none", "five", "zero", "ten", "200", "five again"]);
}

fn ack(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    for body in ["a", "b", "c"] {
        scene.put(&queue, body);
    }
    let mut first = scene.subscribe(&queue, 3);
    let deliveries = ["a", "b", "c"].map(|_| scene.next(&mut first));
    deliveries[1].settler.ack();
    drop(first);
    let mut second = scene.subscribe(&queue, 3);
    for body in ["a", "c"] {
        assert!(scene.expect(&mut second, body).redelivered);
    }
    scene.expect_nothing(&mut second);
}

fn requeue(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    for body in ["a", "b"] {
        scene.put(&queue, body);
    }
    let mut subscription = scene.subscribe(&queue, 1);
    let first = scene.next(&mut subscription);
    assert!(!first.redelivered);
    first.settler.settle(Verdict::Requeue);
    for _ in 0..2 {
        let again = scene.next(&mut subscription);
        assert_eq!(again.body, b"a");
        assert!(again.redelivered);
        assert_eq!(again.properties, first.properties);
        again.settler.settle(Verdict::Requeue);
    }
    assert!(scene.expect(&mut subscription, "a").redelivered);
    assert!(!scene.expect(&mut subscription, "b").redelivered);
}

fn reject(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    scene.put(&queue, "a");
    let mut subscription = scene.subscribe(&queue, 1);
    scene.next(&mut subscription).settler.settle(Verdict::Reject);
    scene.put(&queue, "b");
    assert!(!scene.expect(&mut subscription, "b").redelivered);
    drop(subscription);
    scene.expect_content(&queue, &[]);
}

fn dead_letter(scene: &Scene<'_>) {
    let dead = scene.queue("dead");
    let routing_key = ("x-dead-letter-routing-key", dead.as_str().into());
    let queue = scene.queue_with("queue", [("x-dead-letter-exchange", "".into()), routing_key]);
    let sent = Properties { correlation_id: Some("id".to_owned()), ..Properties::default() };
    scene.put_with(&queue, &sent, b"a");
    scene.next(&mut scene.subscribe(&queue, 1)).settler.settle(Verdict::Reject);
    let letter = scene.expect(&mut scene.subscribe(&dead, 1), "a");
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

fn second_verdict(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    for body in ["a", "b", "c"] {
        scene.put(&queue, body);
    }
    let mut subscription = scene.subscribe(&queue, 1);
    let first = scene.next(&mut subscription);
    first.settler.ack();
    first.settler.ack();
    first.settler.settle(Verdict::Requeue);
    let second = scene.next(&mut subscription);
    assert_eq!(second.body, b"b");
    first.settler.clone().settle(Verdict::Reject);
    second.settler.settle(Verdict::Reject);
    second.settler.ack();
    scene.expect(&mut subscription, "c");
    drop(subscription);
    scene.expect_content(&queue, &[]);
}

fn verdicts_elsewhere(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    for number in 0..20 {
        scene.put(&queue, &number.to_string());
    }
    let mut subscription = scene.subscribe(&queue, 20);
    let mut settlers: Vec<_> = (0..20).map(|_| scene.next(&mut subscription).settler).collect();
    settlers.rotate_left(7);
    std::thread::scope(|threads| {
        for half in settlers.chunks(10) {
            threads.spawn(move || half.iter().rev().for_each(crate::Settler::ack));
        }
    });
    // Room for twenty more only where all verdicts arrived.
    for number in 20..40 {
        scene.put(&queue, &number.to_string());
    }
    for number in 20..40 {
        scene.expect(&mut subscription, &number.to_string());
    }
    drop(subscription);
    scene.expect_content(&queue, &[]);
}
