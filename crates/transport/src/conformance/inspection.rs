//! Looking at what there is without touching it, and taking away what was declared.

use std::time::Duration;

use zc_events_protocol::Headers;

use super::Behaviour;
use super::scene::{Scene, plain, text};
use crate::{ConsumeOptions, Difference, Error, ExchangeKind, Inspection, Queue, Standing, Topology};

pub(super) const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "inspecting tells what is there, as wanted, and how full it is", check: as_wanted },
    Behaviour { name: "inspecting tells what is missing, and creates nothing", check: missing },
    Behaviour { name: "inspecting tells all that differs", check: different },
    Behaviour { name: "a queue that is its own fallback does not differ", check: fallback },
    Behaviour { name: "inspecting takes nothing from anybody", check: takes_nothing },
    Behaviour { name: "what is removed is gone, and removing it again is no error", check: removed },
    Behaviour { name: "a temporary exchange goes with its last queue", check: temporary },
];

fn inspect(scene: &Scene<'_>, wanted: &Topology) -> Inspection {
    let found = scene.broker.inspect(wanted, scene.soon()).expect("inspecting");
    assert_eq!(found.lacks, [], "the suite's user may do everything");
    found
}

/// A service's exchange and queue.
fn service(scene: &Scene<'_>, max_priority: u8) -> (String, String, Topology) {
    let (exchange, queue) = (scene.name("events"), scene.name("queue"));
    let topology = Topology::new()
        .exchange(&exchange, ExchangeKind::Fanout)
        .queue_with_priority(&queue, Some(max_priority))
        .bind(&queue, &exchange, "");
    (exchange, queue, topology)
}

fn declared(scene: &Scene<'_>, max_priority: u8) -> (String, String, Topology) {
    let (exchange, queue, topology) = service(scene, max_priority);
    scene.declare(&topology).expect("declaring");
    scene.owns(&queue);
    (exchange, queue, topology)
}

fn as_wanted(scene: &Scene<'_>) {
    let (_, queue, topology) = declared(scene, 10);
    scene.put(&queue, "one");
    scene.put(&queue, "two");
    let found = inspect(scene, &topology);
    assert_eq!(found.exchanges[0].standing, Standing::AsWanted);
    assert_eq!(found.queues[0].standing, Standing::AsWanted);
    assert_eq!((found.queues[0].ready, found.queues[0].consumers), (Some(2), Some(0)));
    assert_ne!(found.bindings, [Some(false)]);
    let _subscription = scene.subscribe(&queue, 1);
    assert_eq!(inspect(scene, &topology).queues[0].consumers, Some(1));
}

fn missing(scene: &Scene<'_>) {
    let (_, _, topology) = service(scene, 10);
    let topology = topology.dead_queue(scene.name("dead"));
    for _ in 0..2 {
        let found = inspect(scene, &topology);
        assert_eq!(found.exchanges[0].standing, Standing::Missing);
        for queue in &found.queues {
            assert_eq!(queue.standing, Standing::Missing);
            assert_eq!((queue.ready, queue.consumers), (None, None));
        }
        assert_ne!(found.bindings, [Some(true)]);
    }
    scene.expect_usable();
}

fn different(scene: &Scene<'_>) {
    let arguments = [("x-max-priority", 5.into()), ("x-message-ttl", 60_000.into())];
    let there = plain(&scene.name("queue"), arguments);
    let exchange = scene.exchange("events", ExchangeKind::Direct);
    scene.declare(&Topology::new().queue(there.clone())).expect("declaring");
    scene.owns(&there.name);
    let wanted = Topology::new().exchange(&exchange, ExchangeKind::Fanout).queue_with_priority(&there.name, Some(10));
    let found = inspect(scene, &wanted);
    let difference = |what: &str, wanted: &str, found: &str| Difference {
        what: what.to_owned(),
        wanted: wanted.to_owned(),
        found: found.to_owned(),
    };
    assert_eq!(found.exchanges[0].standing, Standing::Different(vec![difference("type", "fanout", "direct")]));
    let Standing::Different(mut differences) = found.queues[0].standing.clone() else {
        panic!("a queue with other arguments is {:?}", found.queues[0].standing);
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

fn fallback(scene: &Scene<'_>) {
    let name = scene.name("dead");
    scene.declare(&Topology::new().queue(Queue::durable(&name))).expect("declaring");
    scene.owns(&name);
    let found = inspect(scene, &Topology::new().dead_queue(&name));
    assert_eq!(found.queues[0].standing, Standing::AsWanted);
    let other =
        Queue { fallback: Some(Headers::from([("x-max-length".to_owned(), 1.into())])), ..Queue::durable(&name) }
            .arguments(Headers::from([("x-queue-type".to_owned(), "quorum".into())]));
    let found = inspect(scene, &Topology::new().queue(other));
    assert!(matches!(found.queues[0].standing, Standing::Different(_)), "{found:?}");
}

fn takes_nothing(scene: &Scene<'_>) {
    let (exchange, queue, topology) = declared(scene, 10);
    for body in ["one", "two", "three"] {
        scene.publish(&exchange, "", body);
    }
    let mut subscription = scene.subscribe(&queue, 1);
    let first = scene.next(&mut subscription);
    for _ in 0..3 {
        assert_eq!(inspect(scene, &topology).queues[0].ready, Some(2));
    }
    first.settler.ack();
    for body in ["two", "three"] {
        let delivery = scene.next(&mut subscription);
        assert_eq!((text(&delivery).as_str(), delivery.redelivered), (body, false));
        delivery.settler.ack();
    }
    scene.publish(&exchange, "", "it is bound as before");
    scene.expect(&mut subscription, "it is bound as before");
}

fn removed(scene: &Scene<'_>) {
    let (_, queue, topology) = declared(scene, 10);
    scene.put(&queue, "lost with its queue");
    let mut subscription = scene.subscribe(&queue, 1);
    scene.next(&mut subscription);
    for _ in 0..2 {
        scene.broker.remove(&topology, scene.soon()).expect("removing");
        let found = inspect(scene, &topology);
        assert_eq!(found.exchanges[0].standing, Standing::Missing);
        assert_eq!(found.queues[0].standing, Standing::Missing);
    }
    match subscription.next(scene.soon()) {
        Err(Error::Rejected { .. }) => {}
        other => panic!("the subscription of a removed queue says {other:?}"),
    }
    // A handle that has declared it does not bring it back with its next connection.
    let other = scene.queue("other");
    drop(scene.broker.subscribe(&other, ConsumeOptions::default(), scene.soon()).expect("subscribing"));
    assert_eq!(inspect(scene, &topology).queues[0].standing, Standing::Missing);
    scene.disowns(&queue);
    // And it may be declared again.
    scene.declare(&topology).expect("declaring it again");
    scene.owns(&queue);
    scene.expect_content(&queue, &[]);
}

fn temporary(scene: &Scene<'_>) {
    let (_, queue, topology) = service(scene, 10);
    let topology = topology.temporary(Duration::from_secs(600));
    scene.declare(&topology).expect("declaring");
    let found = inspect(scene, &topology);
    assert_eq!(found.exchanges[0].standing, Standing::AsWanted);
    assert_eq!(found.queues[0].standing, Standing::AsWanted);
    let only_the_queue = Topology::new().queue(Queue::durable(&queue));
    scene.broker.remove(&only_the_queue, scene.soon()).expect("removing");
    assert_eq!(inspect(scene, &topology).exchanges[0].standing, Standing::Missing);
}
