//! Several subscriptions, several threads, several handles.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use zc_events_protocol::Properties;

use super::behaviour::Behaviour;
use super::fixture::{Fixture, text};
use crate::{Broker, Outgoing};

pub(super) const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "prefetch limits unacknowledged messages", check: prefetch },
    Behaviour { name: "subscriptions of one queue share its messages", check: sharing },
    Behaviour { name: "handles use the same queues", check: handles },
    Behaviour { name: "eight threads publish, and each message arrives once", check: threads },
];

fn prefetch(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    for number in 0..5 {
        fixture.put(&queue, &number.to_string());
    }
    let subscription = fixture.subscribe(&queue, 2);
    let out = [fixture.next(&*subscription), fixture.next(&*subscription)];
    fixture.expect_nothing(&*subscription);
    out[1].settler.ack();
    let third = fixture.next(&*subscription);
    assert_eq!(text(&third), "2");
    fixture.expect_nothing(&*subscription);
    out[0].settler.ack();
    third.settler.ack();
    fixture.expect(&*subscription, "3");
    fixture.expect(&*subscription, "4");
}

fn sharing(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    let subscriptions = [fixture.subscribe(&queue, 1), fixture.subscribe(&queue, 1)];
    for number in 0..10 {
        fixture.put(&queue, &number.to_string());
    }
    let mut received = Vec::new();
    // Each subscription has room for one message, so each gets one before either settles.
    for _ in 0..5 {
        let pair = subscriptions.each_ref().map(|subscription| fixture.next(&**subscription));
        for delivery in pair {
            assert!(!delivery.redelivered);
            received.push(text(&delivery));
            delivery.settler.ack();
        }
    }
    received.sort_unstable();
    assert_eq!(received, (0..10).map(|number| number.to_string()).collect::<Vec<_>>());
}

fn handles(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    let other: Arc<dyn Broker> = (fixture.suite.make)();
    let subscription = other.subscribe(&queue, Default::default(), fixture.soon()).expect("subscribing");
    fixture.put(&queue, "a");
    fixture.expect(&*subscription, "a");
    drop(subscription);
    other.close(fixture.soon()).expect("closing");
    // Closing one handle does not close another.
    fixture.expect_usable();
}

fn threads(fixture: &Fixture<'_>) {
    const THREADS: usize = 8;
    const EACH: usize = 500;
    let queue = fixture.queue("queue");
    let (broker, soon) = (&*fixture.broker, fixture.soon());
    let subscriptions = [fixture.subscribe(&queue, 50), fixture.subscribe(&queue, 50)];
    let (clock, patience) = (fixture.suite.clock, fixture.suite.patience);
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
            for subscription in &subscriptions {
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
    for subscription in &subscriptions {
        fixture.expect_nothing(&**subscription);
    }
    assert_eq!(received.len(), THREADS * EACH);
    assert_eq!(received.into_iter().collect::<BTreeSet<_>>().len(), THREADS * EACH);
}
