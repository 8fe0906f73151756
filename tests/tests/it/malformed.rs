//! Messages that a hostile publisher can get through a real RabbitMQ to our consumer:
//! written by hand on a socket, since no decent client sends them. Each must arrive as a
//! delivery that says what is wrong, with its body, and nothing may end the connection.

use std::time::Duration;

use integration_tests::raw::{Raw, entry, long, short};
use integration_tests::{broker_url, unique};
use zc_events_protocol::{Clock, Deadline, Headers, Properties, SystemClock};
use zc_events_transport::amqp::{AmqpBroker, AmqpOptions, BrokerUrl};
use zc_events_transport::{Broker, ConsumeOptions, Delivery, ExchangeKind, Outgoing, Queue, Subscription, Topology};

const PATIENCE: Duration = Duration::from_secs(20);

fn soon() -> Deadline {
    SystemClock.deadline(PATIENCE)
}

/// The properties that are a message id and these headers.
fn headers(content: &[u8]) -> Vec<u8> {
    [&[0x20, 0x80][..], &long(content), &short(b"the-id")].concat()
}

fn broker() -> AmqpBroker {
    let url: BrokerUrl = broker_url().parse().unwrap();
    AmqpBroker::new(AmqpOptions::new(url).setting("BROKER_URL")).unwrap()
}

/// A consumed queue behind a fanout of the same name.
fn consume(broker: &AmqpBroker, name: &str) -> Box<dyn Subscription> {
    let queue = Queue::durable(name);
    let topology = Topology::new().exchange(name, ExchangeKind::Fanout).queue(queue).bind(name, name, "");
    broker.declare(&topology, soon()).unwrap();
    broker.subscribe(name, ConsumeOptions::default(), soon()).unwrap()
}

fn next(subscription: &mut Box<dyn Subscription>) -> Delivery {
    let delivery = subscription.next(soon()).unwrap().expect("a delivery");
    delivery.settler.ack();
    assert!(!delivery.redelivered, "the connection was lost");
    delivery
}

fn an_ordinary_message_follows(broker: &AmqpBroker, name: &str, subscription: &mut Box<dyn Subscription>) {
    let properties =
        Properties { headers: Some(Headers::from([("task".into(), "t".into())])), ..Properties::default() };
    let message =
        Outgoing { exchange: name, routing_key: "k", mandatory: true, properties: &properties, body: b"ordinary" };
    broker.send(&message, soon()).unwrap().wait(soon()).unwrap();
    let delivery = next(subscription);
    assert_eq!((delivery.defect, delivery.body.as_slice()), (None, &b"ordinary"[..]));
    assert_eq!(delivery.properties.headers, properties.headers);
}

fn delete(name: &str) {
    let mut connection = amiquip::Connection::insecure_open(&broker_url()).unwrap();
    let channel = connection.open_channel(None).unwrap();
    channel.queue_delete(name, amiquip::QueueDeleteOptions::default()).unwrap();
    channel.exchange_delete(name, false).unwrap();
    connection.close().unwrap();
}

#[test]
fn malformed_message_is_a_delivery_and_the_connection_survives() {
    let name = unique("hostile");
    let broker = broker();
    let mut subscription = consume(&broker, &name);
    let mut raw = Raw::connect(&broker_url()).unwrap();
    let deep = (0..4000).fold(Vec::new(), |content, _| entry(b"n", b'F', &long(&content)));
    let beside = entry(b"task", b'S', &long(b"t"));
    for (content, defect) in [
        (deep, "headers_too_deep"),
        ([&entry(b"bin", b'S', &long(b"\xff\xfe"))[..], &beside].concat(), "headers_not_utf8"),
        ([&entry(b"\xff", b'V', b"")[..], &beside].concat(), "headers_not_utf8"),
    ] {
        let body = format!("the body of {defect}");
        raw.publish(&name, b"k", &headers(&content), body.as_bytes()).unwrap();
        let delivery = next(&mut subscription);
        assert_eq!(delivery.defect, Some(defect));
        assert_eq!(delivery.properties.headers, None);
        assert_eq!(delivery.properties.message_id.as_deref(), Some("the-id"));
        assert_eq!(delivery.body, body.as_bytes());
    }
    raw.publish(&name, b"k", &[&[0x80, 0][..], &short(b"text/\xff")].concat(), b"type").unwrap();
    let delivery = next(&mut subscription);
    assert_eq!((delivery.defect, delivery.body.as_slice()), (Some("properties_not_utf8"), &b"type"[..]));

    raw.publish(&name, b"na\xefve", &[0, 0], b"key").unwrap();
    let delivery = next(&mut subscription);
    assert_eq!((delivery.defect, delivery.body.as_slice()), (None, &b"key"[..]));
    assert_eq!(delivery.routing_key, "na?ve");

    an_ordinary_message_follows(&broker, &name, &mut subscription);
    drop(subscription);
    delete(&name);
}

/// Dead-lettering adds headers, and the broker sends them in one frame however large it gets.
#[test]
fn headers_larger_than_a_frame_arrive() {
    let name = unique("grown");
    let source = unique("grown-source");
    let broker = broker();
    let mut subscription = consume(&broker, &name);
    let arguments =
        Headers::from([("x-dead-letter-exchange".into(), name.as_str().into()), ("x-message-ttl".into(), 1.into())]);
    let queue = Queue::durable(source.as_str()).arguments(arguments);
    broker.declare(&Topology::new().queue(queue), soon()).unwrap();
    let mut raw = Raw::connect(&broker_url()).unwrap();
    // The frame of the header is then exactly as large as was agreed on.
    let largest = 131_072 - 8 - 12 - headers(&entry(b"x", b'x', &long(b""))).len();
    raw.publish("", source.as_bytes(), &headers(&entry(b"x", b'x', &long(&vec![7; largest]))), b"grown").unwrap();
    let delivery = next(&mut subscription);
    assert_eq!((delivery.defect, delivery.body.as_slice()), (None, &b"grown"[..]));
    let headers = delivery.properties.headers.unwrap();
    assert!(headers.contains_key("x-death") && headers.contains_key("x"));
    an_ordinary_message_follows(&broker, &name, &mut subscription);
    drop(subscription);
    delete(&name);
    let mut connection = amiquip::Connection::insecure_open(&broker_url()).unwrap();
    connection.open_channel(None).unwrap().queue_delete(source, amiquip::QueueDeleteOptions::default()).unwrap();
    connection.close().unwrap();
}
