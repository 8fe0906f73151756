//! Which queues a message reaches.

use super::Behaviour;
use super::scene::{Scene, plain};
use crate::{Error, ExchangeKind, Topology};

pub(super) const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "a fanout reaches all queues that are bound, and no other", check: fanout },
    Behaviour { name: "a topic exchange matches words", check: topic },
    Behaviour { name: "a queue that is bound twice gets a message once", check: bound_twice },
    Behaviour { name: "a direct exchange compares keys", check: direct },
    Behaviour { name: "the default exchange reaches a queue by its name", check: default_exchange },
    Behaviour { name: "what is declared again is used as it is", check: declared_again },
];

fn fanout(scene: &Scene<'_>) {
    let exchange = scene.exchange("events", ExchangeKind::Fanout);
    let queues = ["one", "two", "other"].map(|stem| scene.queue(stem));
    scene.bind(&queues[0], &exchange, "");
    scene.bind(&queues[1], &exchange, "a.key.that.is.ignored");
    scene.publish(&exchange, "", "first");
    scene.publish(&exchange, "some.key", "second");
    scene.expect_content(&queues[0], &["first", "second"]);
    scene.expect_content(&queues[1], &["first", "second"]);
    scene.expect_content(&queues[2], &[]);
}

fn topic(scene: &Scene<'_>) {
    const TABLE: &[(&str, &[&str], &[&str])] = &[
        ("#", &["", "a", "a.b.c"], &[]),
        ("*", &["a"], &["", "a.b"]),
        ("a.*", &["a.b", "a."], &["a", "a.b.c", "b.a"]),
        ("a.#", &["a", "a.b", "a.b.c"], &["b", "ab", "b.a"]),
        ("#.c", &["c", "a.c", "a.b.c"], &["c.a", ""]),
        ("a.#.c", &["a.c", "a.b.c", "a.c.b.c"], &["a", "c", "a.c.b"]),
        ("*.b.*", &["a.b.c"], &["b", "a.b", "a.b.c.d"]),
        ("microservice.notification.*", &["microservice.notification.email", "microservice.notification.*"], &["x.y"]),
        ("a.b", &["a.b"], &["a.B", "a.b.c", "a", ""]),
    ];
    let exchange = scene.exchange("topic", ExchangeKind::Topic);
    for (number, (binding, matching, others)) in TABLE.iter().enumerate() {
        let queue = scene.queue(&format!("pattern-{number}"));
        scene.bind(&queue, &exchange, binding);
        for key in matching.iter().chain(*others) {
            scene.publish(&exchange, key, &format!("{binding} <- {key}"));
        }
        let expected: Vec<String> = matching.iter().map(|key| format!("{binding} <- {key}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        // Nobody listens to the queues of the rows before; theirs is not looked at again.
        scene.expect_content(&queue, &expected);
    }
}

fn bound_twice(scene: &Scene<'_>) {
    let exchange = scene.exchange("topic", ExchangeKind::Topic);
    let queue = scene.queue("queue");
    for key in ["a.*", "#", "#"] {
        scene.bind(&queue, &exchange, key);
    }
    scene.publish(&exchange, "a.b", "once");
    scene.expect_content(&queue, &["once"]);
}

fn direct(scene: &Scene<'_>) {
    let exchange = scene.exchange("direct", ExchangeKind::Direct);
    let (orders, carts) = (scene.queue("orders"), scene.queue("carts"));
    scene.bind(&orders, &exchange, "order");
    scene.bind(&orders, &exchange, "both");
    scene.bind(&carts, &exchange, "both");
    scene.bind(&carts, &exchange, "*");
    for key in ["order", "both", "*", "Order", ""] {
        scene.publish(&exchange, key, key);
    }
    scene.expect_content(&orders, &["order", "both"]);
    scene.expect_content(&carts, &["both", "*"]);
}

fn default_exchange(scene: &Scene<'_>) {
    let (one, two) = (scene.queue("one"), scene.queue("two"));
    scene.put(&one, "to one");
    scene.put(&two, "to two");
    let mut subscription = scene.subscribe(&one, 1);
    let delivery = scene.expect(&mut subscription, "to one");
    assert_eq!((delivery.exchange.as_str(), delivery.routing_key.as_str()), ("", one.as_str()));
    scene.expect_content(&two, &["to two"]);
}

fn declared_again(scene: &Scene<'_>) {
    let exchange = scene.exchange("events", ExchangeKind::Fanout);
    let queue = scene.queue("queue");
    let topology = |kind, queue| Topology::new().exchange(&exchange, kind).queue(queue);
    let same = topology(ExchangeKind::Fanout, plain(&queue, [])).bind(&queue, &exchange, "");
    for _ in 0..2 {
        scene.declare(&same).expect("declaring the same again");
    }
    scene.publish(&exchange, "", "before");
    let other = topology(ExchangeKind::Fanout, plain(&queue, [("x-max-priority", 10.into())]));
    scene.declare(&other).expect("declaring what exists with other arguments");
    let wrong = scene.declare(&Topology::new().exchange(&exchange, ExchangeKind::Direct));
    assert!(matches!(wrong, Err(Error::Rejected { .. })), "an exchange of another kind gave {wrong:?}");
    // Still the queue with its message, and still a fanout; from another handle, too.
    let handle = (scene.suite.make)();
    handle.declare(&other, scene.soon()).expect("declaring what another handle has declared");
    scene.publish(&exchange, "a key that is not bound", "after");
    scene.expect_content(&queue, &["before", "after"]);
    handle.close(scene.soon()).expect("closing");
}
