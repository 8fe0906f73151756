//! Several subscriptions, several threads, several handles.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use zc_events_protocol::Properties;

use super::Behaviour;
use super::scene::{Scene, text};
use crate::{Broker, Outgoing};

pub(super) const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "prefetch bounds what is out", check: prefetch },
    Behaviour { name: "subscriptions of one queue share its messages", check: sharing },
    Behaviour { name: "handles reach the same queues", check: handles },
    Behaviour { name: "eight threads publish, and each message arrives once", check: threads },
];

fn prefetch(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    for number in 0..5 {
        scene.put(&queue, &number.to_string());
    }
    let mut subscription = scene.subscribe(&queue, 2);
    let out = [scene.next(&mut subscription), scene.next(&mut subscription)];
    scene.expect_nothing(&mut subscription);
    out[1].settler.ack();
    let third = scene.next(&mut subscription);
    assert_eq!(text(&third), "2");
    scene.expect_nothing(&mut subscription);
    out[0].settler.ack();
    third.settler.ack();
    scene.expect(&mut subscription, "3");
    scene.expect(&mut subscription, "4");
}

fn sharing(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    let mut subscriptions = [scene.subscribe(&queue, 1), scene.subscribe(&queue, 1)];
    for number in 0..10 {
        scene.put(&queue, &number.to_string());
    }
    let mut received = Vec::new();
    // Each has room for one: while neither settles, each has one.
    for _ in 0..5 {
        let pair = subscriptions.each_mut().map(|subscription| scene.next(subscription));
        for delivery in pair {
            assert!(!delivery.redelivered);
            received.push(text(&delivery));
            delivery.settler.ack();
        }
    }
    received.sort_unstable();
    assert_eq!(received, (0..10).map(|number| number.to_string()).collect::<Vec<_>>());
}

fn handles(scene: &Scene<'_>) {
    let queue = scene.queue("queue");
    let other: Arc<dyn Broker> = (scene.suite.make)();
    let mut subscription = other.subscribe(&queue, Default::default(), scene.soon()).expect("subscribing");
    scene.put(&queue, "a");
    scene.expect(&mut subscription, "a");
    drop(subscription);
    other.close(scene.soon()).expect("closing");
    // One handle's end is not another's.
    scene.expect_usable();
}

fn threads(scene: &Scene<'_>) {
    const THREADS: usize = 8;
    const EACH: usize = 500;
    let queue = scene.queue("queue");
    let (broker, soon) = (&*scene.broker, scene.soon());
    let mut subscriptions = [scene.subscribe(&queue, 50), scene.subscribe(&queue, 50)];
    let (clock, patience) = (scene.suite.clock, scene.suite.patience);
    let publish = |thread: usize| {
        for number in 0..EACH {
            let body = format!("{thread}/{number}");
            let properties = Properties::default();
            let message = Outgoing {
                exchange: "",
                routing_key: &queue,
                mandatory: true,
                properties: &properties,
                body: body.as_bytes(),
            };
            let deadline = clock.deadline(patience);
            broker.send(&message, deadline).expect("sending").wait(deadline).expect("a confirm");
        }
    };
    let mut received = Vec::new();
    thread::scope(|scope| {
        let publish = &publish;
        let publishers: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || publish(thread))).collect();
        while received.len() < THREADS * EACH {
            for subscription in &mut subscriptions {
                let pause = clock.deadline(std::time::Duration::from_millis(2));
                while let Some(delivery) = subscription.next(pause).expect("receiving") {
                    received.push(text(&delivery));
                    delivery.settler.ack();
                }
            }
            let stuck = publishers.iter().all(thread::ScopedJoinHandle::is_finished);
            assert!(!(stuck && soon.has_passed(clock)), "{} of {} arrived", received.len(), THREADS * EACH);
        }
    });
    for subscription in &mut subscriptions {
        scene.expect_nothing(subscription);
    }
    assert_eq!(received.len(), THREADS * EACH);
    assert_eq!(received.into_iter().collect::<BTreeSet<_>>().len(), THREADS * EACH);
}
