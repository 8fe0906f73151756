//! Inspecting a topology without changing it, and removing it.

use std::time::Duration;

use zc_events_protocol::Headers;

use super::behaviour::Behaviour;
use super::fixture::{Fixture, plain, text};
use crate::{ConsumeOptions, Difference, Error, ExchangeKind, Inspection, Presence, Queue, Topology};

pub(super) const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "inspecting reports what exists, that it matches, and how full it is", check: as_wanted },
    Behaviour { name: "inspecting reports what is missing, and creates nothing", check: missing },
    Behaviour { name: "inspecting reports all differences", check: different },
    Behaviour { name: "a queue that matches its fallback does not differ", check: fallback },
    Behaviour { name: "inspecting takes no messages from consumers", check: takes_nothing },
    Behaviour { name: "a removed topology is deleted, and removing it again is no error", check: removed },
    Behaviour { name: "a temporary exchange is deleted with its last queue", check: temporary },
];

fn inspect(fixture: &Fixture<'_>, wanted: &Topology) -> Inspection {
    let found = fixture.broker.inspect(wanted, fixture.soon()).expect("inspecting");
    assert_eq!(found.missing_permissions, [], "the suite's user may do everything");
    found
}

/// A service's exchange and queue.
fn service(fixture: &Fixture<'_>, max_priority: u8) -> (String, String, Topology) {
    let (exchange, queue) = (fixture.name("events"), fixture.name("queue"));
    let topology = Topology::new()
        .exchange(&exchange, ExchangeKind::Fanout)
        .queue_with_priority(&queue, Some(max_priority))
        .bind(&queue, &exchange, "");
    (exchange, queue, topology)
}

fn declared(fixture: &Fixture<'_>, max_priority: u8) -> (String, String, Topology) {
    let (exchange, queue, topology) = service(fixture, max_priority);
    fixture.declare(&topology).expect("declaring");
    fixture.owns(&queue);
    (exchange, queue, topology)
}

fn as_wanted(fixture: &Fixture<'_>) {
    let (_, queue, topology) = declared(fixture, 10);
    fixture.put(&queue, "one");
    fixture.put(&queue, "two");
    let found = inspect(fixture, &topology);
    assert_eq!(found.exchanges[0].presence, Presence::AsWanted);
    assert_eq!(found.queues[0].presence, Presence::AsWanted);
    assert_eq!((found.queues[0].ready, found.queues[0].consumers), (Some(2), Some(0)));
    assert_ne!(found.bindings, [Some(false)]);
    let _subscription = fixture.subscribe(&queue, 1);
    assert_eq!(inspect(fixture, &topology).queues[0].consumers, Some(1));
}

fn missing(fixture: &Fixture<'_>) {
    let (_, _, topology) = service(fixture, 10);
    let topology = topology.dead_queue(fixture.name("dead"));
    for _ in 0..2 {
        let found = inspect(fixture, &topology);
        assert_eq!(found.exchanges[0].presence, Presence::Missing);
        for queue in &found.queues {
            assert_eq!(queue.presence, Presence::Missing);
            assert_eq!((queue.ready, queue.consumers), (None, None));
        }
        assert_ne!(found.bindings, [Some(true)]);
    }
    fixture.expect_usable();
}

fn different(fixture: &Fixture<'_>) {
    let arguments = [("x-max-priority", 5.into()), ("x-message-ttl", 60_000.into())];
    let there = plain(&fixture.name("queue"), arguments);
    let exchange = fixture.exchange("events", ExchangeKind::Direct);
    fixture.declare(&Topology::new().queue(there.clone())).expect("declaring");
    fixture.owns(&there.name);
    let wanted = Topology::new().exchange(&exchange, ExchangeKind::Fanout).queue_with_priority(&there.name, Some(10));
    let found = inspect(fixture, &wanted);
    let difference = |what: &str, wanted: &str, found: &str| Difference {
        what: what.to_owned(),
        wanted: wanted.to_owned(),
        found: found.to_owned(),
    };
    assert_eq!(found.exchanges[0].presence, Presence::Different(vec![difference("type", "fanout", "direct")]));
    let Presence::Different(mut differences) = found.queues[0].presence.clone() else {
        panic!("a queue with other arguments is {:?}", found.queues[0].presence);
    };
    differences.sort_by(|one, other| one.what.cmp(&other.what));
    let expected = [
        difference("durable", "true", "false"),
        difference("x-max-priority", "10", "5"),
        difference("x-message-ttl", "none", "60000"),
    ];
    assert_eq!(differences, expected);
    assert_eq!(found.queues[0].ready, Some(0));
}

fn fallback(fixture: &Fixture<'_>) {
    let name = fixture.name("dead");
    fixture.declare(&Topology::new().queue(Queue::durable(&name))).expect("declaring");
    fixture.owns(&name);
    let found = inspect(fixture, &Topology::new().dead_queue(&name));
    assert_eq!(found.queues[0].presence, Presence::AsWanted);
    let other =
        Queue { fallback: Some(Headers::from([("x-max-length".to_owned(), 1.into())])), ..Queue::durable(&name) }
            .arguments(Headers::from([("x-queue-type".to_owned(), "quorum".into())]));
    let found = inspect(fixture, &Topology::new().queue(other));
    assert!(matches!(found.queues[0].presence, Presence::Different(_)), "{found:?}");
}

fn takes_nothing(fixture: &Fixture<'_>) {
    let (exchange, queue, topology) = declared(fixture, 10);
    for body in ["one", "two", "three"] {
        fixture.publish(&exchange, "", body);
    }
    let subscription = fixture.subscribe(&queue, 1);
    let first = fixture.next(&*subscription);
    for _ in 0..3 {
        assert_eq!(inspect(fixture, &topology).queues[0].ready, Some(2));
    }
    first.settler.ack();
    for body in ["two", "three"] {
        let delivery = fixture.next(&*subscription);
        assert_eq!((text(&delivery).as_str(), delivery.redelivered), (body, false));
        delivery.settler.ack();
    }
    fixture.publish(&exchange, "", "it is bound as before");
    fixture.expect(&*subscription, "it is bound as before");
}

fn removed(fixture: &Fixture<'_>) {
    let (_, queue, topology) = declared(fixture, 10);
    fixture.put(&queue, "lost with its queue");
    let subscription = fixture.subscribe(&queue, 1);
    fixture.next(&*subscription);
    for _ in 0..2 {
        fixture.broker.remove(&topology, fixture.soon()).expect("removing");
        let found = inspect(fixture, &topology);
        assert_eq!(found.exchanges[0].presence, Presence::Missing);
        assert_eq!(found.queues[0].presence, Presence::Missing);
    }
    match subscription.next(fixture.soon()) {
        Err(Error::Rejected { .. }) => {}
        other => panic!("the subscription of a removed queue says {other:?}"),
    }
    // A handle that has declared it does not declare it again on its next connection.
    let other = fixture.queue("other");
    drop(fixture.broker.subscribe(&other, ConsumeOptions::default(), fixture.soon()).expect("subscribing"));
    assert_eq!(inspect(fixture, &topology).queues[0].presence, Presence::Missing);
    fixture.disowns(&queue);
    // It may be declared again.
    fixture.declare(&topology).expect("declaring it again");
    fixture.owns(&queue);
    fixture.expect_content(&queue, &[]);
}

fn temporary(fixture: &Fixture<'_>) {
    let (_, queue, topology) = service(fixture, 10);
    let topology = topology.temporary(Duration::from_secs(600));
    fixture.declare(&topology).expect("declaring");
    let found = inspect(fixture, &topology);
    assert_eq!(found.exchanges[0].presence, Presence::AsWanted);
    assert_eq!(found.queues[0].presence, Presence::AsWanted);
    let only_the_queue = Topology::new().queue(Queue::durable(&queue));
    fixture.broker.remove(&only_the_queue, fixture.soon()).expect("removing");
    assert_eq!(inspect(fixture, &topology).exchanges[0].presence, Presence::Missing);
}
