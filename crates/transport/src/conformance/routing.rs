//! Which queues a message reaches.

use super::behaviour::Behaviour;
use super::fixture::{Fixture, plain};
use crate::{Error, ExchangeKind, Topology};

pub(super) const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "a fanout exchange reaches all bound queues, and no others", check: fanout },
    Behaviour { name: "a topic exchange matches words", check: topic },
    Behaviour { name: "a queue that is bound twice gets each message once", check: bound_twice },
    Behaviour { name: "a direct exchange compares keys", check: direct },
    Behaviour { name: "the default exchange reaches a queue by its name", check: default_exchange },
    Behaviour { name: "a topology that is declared again is used as it is", check: declared_again },
];

fn fanout(fixture: &Fixture<'_>) {
    let exchange = fixture.exchange("events", ExchangeKind::Fanout);
    let queues = ["one", "two", "other"].map(|stem| fixture.queue(stem));
    fixture.bind(&queues[0], &exchange, "");
    fixture.bind(&queues[1], &exchange, "a.key.that.is.ignored");
    fixture.publish(&exchange, "", "first");
    fixture.publish(&exchange, "some.key", "second");
    fixture.expect_content(&queues[0], &["first", "second"]);
    fixture.expect_content(&queues[1], &["first", "second"]);
    fixture.expect_content(&queues[2], &[]);
}

fn topic(fixture: &Fixture<'_>) {
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
    let exchange = fixture.exchange("topic", ExchangeKind::Topic);
    for (number, (binding, matching, others)) in TABLE.iter().enumerate() {
        let queue = fixture.queue(&format!("pattern-{number}"));
        fixture.bind(&queue, &exchange, binding);
        for key in matching.iter().chain(*others) {
            fixture.publish(&exchange, key, &format!("{binding} <- {key}"));
        }
        let expected: Vec<String> = matching.iter().map(|key| format!("{binding} <- {key}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        // The queues of the earlier rows are not read again.
        fixture.expect_content(&queue, &expected);
    }
}

fn bound_twice(fixture: &Fixture<'_>) {
    let exchange = fixture.exchange("topic", ExchangeKind::Topic);
    let queue = fixture.queue("queue");
    for key in ["a.*", "#", "#"] {
        fixture.bind(&queue, &exchange, key);
    }
    fixture.publish(&exchange, "a.b", "once");
    fixture.expect_content(&queue, &["once"]);
}

fn direct(fixture: &Fixture<'_>) {
    let exchange = fixture.exchange("direct", ExchangeKind::Direct);
    let (orders, carts) = (fixture.queue("orders"), fixture.queue("carts"));
    fixture.bind(&orders, &exchange, "order");
    fixture.bind(&orders, &exchange, "both");
    fixture.bind(&carts, &exchange, "both");
    fixture.bind(&carts, &exchange, "*");
    for key in ["order", "both", "*", "Order", ""] {
        fixture.publish(&exchange, key, key);
    }
    fixture.expect_content(&orders, &["order", "both"]);
    fixture.expect_content(&carts, &["both", "*"]);
}

fn default_exchange(fixture: &Fixture<'_>) {
    let (one, two) = (fixture.queue("one"), fixture.queue("two"));
    fixture.put(&one, "to one");
    fixture.put(&two, "to two");
    let subscription = fixture.subscribe(&one, 1);
    let delivery = fixture.expect(&*subscription, "to one");
    assert_eq!((delivery.exchange.as_str(), delivery.routing_key.as_str()), ("", one.as_str()));
    fixture.expect_content(&two, &["to two"]);
}

fn declared_again(fixture: &Fixture<'_>) {
    let exchange = fixture.exchange("events", ExchangeKind::Fanout);
    let queue = fixture.queue("queue");
    let topology = |kind, queue| Topology::new().exchange(&exchange, kind).queue(queue);
    let same = topology(ExchangeKind::Fanout, plain(&queue, [])).bind(&queue, &exchange, "");
    for _ in 0..2 {
        fixture.declare(&same).expect("declaring the same again");
    }
    fixture.publish(&exchange, "", "before");
    let other = topology(ExchangeKind::Fanout, plain(&queue, [("x-max-priority", 10.into())]));
    fixture.declare(&other).expect("declaring what exists with other arguments");
    let wrong = fixture.declare(&Topology::new().exchange(&exchange, ExchangeKind::Direct));
    assert!(matches!(wrong, Err(Error::Rejected { .. })), "an exchange of another kind gave {wrong:?}");
    // It is still the queue with its message, and still a fanout exchange, for another handle, too.
    let handle = (fixture.suite.make)();
    handle.declare(&other, fixture.soon()).expect("declaring what another handle has declared");
    fixture.publish(&exchange, "a key that is not bound", "after");
    fixture.expect_content(&queue, &["before", "after"]);
    handle.close(fixture.soon()).expect("closing");
}
