//! Messages arrive as they were sent.

use zc_events_protocol::{HeaderValue, Headers, Properties};

use super::behaviour::Behaviour;
use super::fixture::Fixture;
use crate::{Delivery, ExchangeKind};

pub(super) const BEHAVIOURS: &[Behaviour] = &[
    Behaviour { name: "properties arrive as they were sent", check: properties },
    Behaviour { name: "absent properties stay absent, except message_id", check: absent },
    Behaviour { name: "headers of all types arrive as they were sent", check: headers },
    Behaviour { name: "bodies of all sizes arrive as they were sent", check: bodies },
    Behaviour { name: "a delivery names its exchange and routing key", check: addresses },
];

fn properties(fixture: &Fixture<'_>) {
    let text = |text: &str| Some(text.to_owned());
    let sent = Properties {
        content_type: text("application/json"),
        content_encoding: text("utf-8"),
        headers: Some(Headers::new()),
        delivery_mode: Some(2),
        priority: Some(9),
        correlation_id: text("6f3f0c7e-1a1d-4d0e-9f0b-3d6d9b1f5a11"),
        reply_to: text("reply ü"),
        expiration: text("600000"),
        message_id: text("an id of its own"),
        timestamp: Some(1_700_000_000),
        kind: text("order_created"),
        // A broker may refuse a user id that is not the connection's.
        user_id: None,
        app_id: text("orders"),
    };
    assert_eq!(sent_through(fixture, &sent, b"").properties, sent);
    let transient = Properties { delivery_mode: Some(1), priority: Some(0), ..sent };
    assert_eq!(sent_through(fixture, &transient, b"").properties, transient);
}

fn absent(fixture: &Fixture<'_>) {
    let mut received = sent_through(fixture, &Properties::default(), b"").properties;
    let first = received.message_id.take().expect("a message_id is filled in");
    assert_eq!(received, Properties::default());
    let second = sent_through(fixture, &Properties::default(), b"").properties.message_id;
    assert_ne!(Some(first), second, "each message has its own");
}

fn headers(fixture: &Fixture<'_>) {
    let inner = table([("none", HeaderValue::Null), ("list", HeaderValue::List(vec![1.into(), "two".into()]))]);
    let sent = table([
        ("null", HeaderValue::Null),
        ("true", HeaderValue::Bool(true)),
        ("false", HeaderValue::Bool(false)),
        ("zero", 0.into()),
        ("negative", (-1).into()),
        ("i32 min", i64::from(i32::MIN).into()),
        ("i32 max", i64::from(i32::MAX).into()),
        ("above i32", (i64::from(i32::MAX) + 1).into()),
        ("i64 min", i64::MIN.into()),
        ("i64 max", i64::MAX.into()),
        ("float", HeaderValue::Float(-0.1)),
        ("empty text", "".into()),
        ("text", "Grüße, \u{1F600}".into()),
        ("long text", "x".repeat(4096).into()),
        ("timestamp", HeaderValue::Timestamp(1_700_000_000)),
        ("empty list", HeaderValue::List(Vec::new())),
        (
            "list",
            HeaderValue::List(vec![HeaderValue::Null, HeaderValue::Bool(true), HeaderValue::Table(inner.clone())]),
        ),
        ("empty table", HeaderValue::Table(Headers::new())),
        ("table", HeaderValue::Table(inner)),
    ]);
    let properties = Properties { headers: Some(sent.clone()), ..Properties::default() };
    let received = sent_through(fixture, &properties, b"body").properties.headers.expect("headers");
    for (key, value) in &sent {
        assert_eq!(received.get(key), Some(value), "header `{key}`");
    }
    assert_eq!(received.len(), sent.len());
}

fn bodies(fixture: &Fixture<'_>) {
    for size in [0, 1, 4096, 100 * 1024, 128 * 1024 - 8, 128 * 1024, 1024 * 1024] {
        let body: Vec<u8> = (0..size).map(|at: usize| (at % 251) as u8).collect();
        let received = sent_through(fixture, &Properties::default(), &body).body;
        assert_eq!(received.len(), size);
        assert!(received == body, "a body of {size} bytes was changed");
    }
}

fn addresses(fixture: &Fixture<'_>) {
    let exchange = fixture.exchange("topic", ExchangeKind::Topic);
    let queue = fixture.queue("queue");
    fixture.bind(&queue, &exchange, "#");
    fixture.publish(&exchange, "order.created", "body");
    let delivery = fixture.expect(&*fixture.subscribe(&queue, 1), "body");
    assert_eq!((delivery.exchange, delivery.routing_key.as_str()), (exchange, "order.created"));
    assert!(!delivery.redelivered);
}

fn sent_through(fixture: &Fixture<'_>, properties: &Properties, body: &[u8]) -> Delivery {
    let queue = fixture.queue(&uuid::Uuid::new_v4().to_string());
    fixture.put_with(&queue, properties, body);
    let delivery = fixture.next(&*fixture.subscribe(&queue, 1));
    delivery.settler.ack();
    delivery
}

fn table<const N: usize>(entries: [(&str, HeaderValue); N]) -> Headers {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
