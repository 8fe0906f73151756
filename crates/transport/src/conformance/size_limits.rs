//! Size limits and expiration.

use zc_events_protocol::{HeaderValue, Headers, Properties};

use super::behaviour::Behaviour;
use super::fixture::{Fixture, plain};
use crate::{ConsumeOptions, Error, ExchangeKind, Outgoing, Topology};

pub(super) const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "names may have 255 bytes", check: long_names },
    Behaviour { name: "longer names are too large", check: names_too_long },
    Behaviour { name: "long properties and header names are too large", check: properties_too_long },
    Behaviour { name: "headers that exceed a frame are too large", check: headers_too_large },
    Behaviour { name: "a message expires", check: expiration },
    Behaviour { name: "a message with a time to live of 0 is delivered at once, or dropped", check: no_time },
    Behaviour { name: "an expired message goes to the dead letter exchange", check: expired_letter },
];

/// A name of this many bytes.
fn long(fixture: &Fixture<'_>, stem: &str, size: usize) -> String {
    let name = fixture.name(stem);
    name.clone() + &"x".repeat(size - name.len())
}

fn long_names(fixture: &Fixture<'_>) {
    let (queue, exchange, key) = (long(fixture, "q", 255), long(fixture, "e", 255), long(fixture, "k", 255));
    let topology = Topology::new()
        .exchange(&exchange, ExchangeKind::Direct)
        .queue(plain(&queue, []))
        .bind(&queue, &exchange, &key);
    fixture.declare(&topology).expect("declaring");
    fixture.owns(&queue);
    fixture.send(&exchange, &key, true, "a").wait(fixture.soon()).expect("a confirm");
    fixture.send("", &queue, true, "b").wait(fixture.soon()).expect("a confirm");
    fixture.expect_content(&queue, &["a", "b"]);
}

#[track_caller]
fn too_large<T: std::fmt::Debug>(result: Result<T, Error>, what: &str) {
    match result {
        Err(Error::TooLarge { size, limit, .. }) => assert!(size > limit, "{what}: {size} of {limit}"),
        other => panic!("{what} is too large, and the call gave {other:?}"),
    }
}

fn names_too_long(fixture: &Fixture<'_>) {
    let name = long(fixture, "n", 256);
    let (queue, exchange) = (fixture.queue("queue"), fixture.exchange("events", ExchangeKind::Fanout));
    too_large(fixture.declare(&Topology::new().queue(plain(&name, []))), "a queue's name");
    too_large(fixture.declare(&Topology::new().exchange(&name, ExchangeKind::Fanout)), "an exchange's name");
    too_large(fixture.declare(&Topology::new().bind(&queue, &exchange, &name)), "a binding key");
    let subscribed = fixture.broker.subscribe(&name, ConsumeOptions::default(), fixture.soon()).map(|_| ());
    too_large(subscribed, "a queue's name");
    let properties = Properties::default();
    for (exchange, routing_key) in [(name.as_str(), ""), ("", name.as_str())] {
        let message = Outgoing { exchange, routing_key, mandatory: false, properties: &properties, body: b"" };
        too_large(fixture.broker.send(&message, fixture.soon()), "an address");
    }
    fixture.expect_usable();
}

fn properties_too_long(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    let header =
        |key: String| Properties { headers: Some(Headers::from([(key, HeaderValue::Null)])), ..Default::default() };
    let correlated = |id: String| Properties { correlation_id: Some(id), ..Default::default() };
    // The limit is in bytes, not in characters.
    for properties in [header("x".repeat(255)), correlated("x".repeat(255)), correlated("ü".repeat(127))] {
        fixture.put_with(&queue, &properties, b"");
    }
    for properties in [header("x".repeat(256)), correlated("x".repeat(256)), correlated("ü".repeat(128))] {
        let message =
            Outgoing { exchange: "", routing_key: &queue, mandatory: true, properties: &properties, body: b"" };
        too_large(fixture.broker.send(&message, fixture.soon()), "a property");
    }
    fixture.expect_content(&queue, &["", "", ""]);
}

fn headers_too_large(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    let headers = |size| Some(Headers::from([("x".to_owned(), "x".repeat(size).into())]));
    fixture.put_with(&queue, &Properties { headers: headers(100 * 1024), ..Properties::default() }, b"a");
    let properties = Properties { headers: headers(200 * 1024), ..Properties::default() };
    let message = Outgoing { exchange: "", routing_key: &queue, mandatory: true, properties: &properties, body: b"b" };
    too_large(fixture.broker.send(&message, fixture.soon()), "a header");
    fixture.expect_content(&queue, &["a"]);
}

fn expiring(milliseconds: &str) -> Properties {
    Properties { expiration: Some(milliseconds.to_owned()), ..Properties::default() }
}

fn expiration(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    fixture.put(&queue, "holds the only place");
    let subscription = fixture.subscribe(&queue, 1);
    let first = fixture.next(&*subscription);
    fixture.put_with(&queue, &expiring("1"), b"lives for a moment");
    fixture.put_with(&queue, &expiring("600000"), b"lives for long");
    fixture.put_with(&queue, &Properties::default(), b"lives for ever");
    // Long enough for the first one to expire.
    fixture.expect_nothing(&*subscription);
    first.settler.ack();
    fixture.expect(&*subscription, "lives for long");
    fixture.expect(&*subscription, "lives for ever");
    fixture.expect_nothing(&*subscription);
}

fn no_time(fixture: &Fixture<'_>) {
    let queue = fixture.queue("queue");
    fixture.put_with(&queue, &expiring("0"), b"no consumer");
    let subscription = fixture.subscribe(&queue, 1);
    fixture.expect_nothing(&*subscription);
    fixture.put_with(&queue, &expiring("0"), b"at once");
    let first = fixture.next(&*subscription);
    assert_eq!(first.body, b"at once");
    fixture.put_with(&queue, &expiring("0"), b"no room");
    first.settler.ack();
    fixture.expect_nothing(&*subscription);
}

fn expired_letter(fixture: &Fixture<'_>) {
    let dead = fixture.queue("dead");
    let to_dead = || {
        [
            ("x-dead-letter-exchange", HeaderValue::from("")),
            ("x-dead-letter-routing-key", HeaderValue::from(dead.as_str())),
        ]
    };
    let [exchange, key] = to_dead();
    let patient = fixture.queue_with("patient", to_dead());
    let hasty = fixture.queue_with("hasty", [exchange, key, ("x-message-ttl", 20.into())]);
    // A consumer waits already, and no consumer reads the queue in which the messages expire.
    let subscription = fixture.subscribe(&dead, 1);
    for (queue, properties) in [(&patient, expiring("20")), (&hasty, expiring("600000"))] {
        fixture.put_with(queue, &properties, b"a");
        let letter = fixture.expect(&*subscription, "a");
        assert_eq!(letter.properties.expiration, None, "it must not expire again");
        let headers = letter.properties.headers.expect("headers with the reason");
        assert_eq!(headers.get("x-first-death-reason"), Some(&"expired".into()));
        assert_eq!(headers.get("x-first-death-queue"), Some(&queue.as_str().into()));
    }
}
