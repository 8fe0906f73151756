//! The AMQP transport on a real RabbitMQ: the contract's conformance suite, and what only
//! a real broker shows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use integration_tests::{broker_url, eventually, unique};
use zc_events_protocol::{Clock, Deadline, Headers, Outcome, Properties, SystemClock};
use zc_events_transport::amqp::{AmqpBroker, AmqpOptions, probe};
use zc_events_transport::conformance::Suite;
use zc_events_transport::{Broker, ConsumeOptions, Error, ExchangeKind, Outgoing, Queue, QuorumPriorities, Topology};

const PATIENCE: Duration = Duration::from_secs(20);

fn options() -> AmqpOptions {
    AmqpOptions::new(broker_url().parse().unwrap()).setting("BROKER_URL")
}

fn broker() -> AmqpBroker {
    AmqpBroker::new(options()).unwrap()
}

fn soon() -> Deadline {
    SystemClock.deadline(PATIENCE)
}

fn raw() -> amiquip::Connection {
    amiquip::Connection::insecure_open(&broker_url()).unwrap()
}

fn delete_queue(queue: &str) {
    let mut connection = raw();
    connection.open_channel(None).unwrap().queue_delete(queue, amiquip::QueueDeleteOptions::default()).unwrap();
    connection.close().unwrap();
}

fn message<'a>(exchange: &'a str, routing_key: &'a str, properties: &'a Properties, body: &'a [u8]) -> Outgoing<'a> {
    Outgoing { exchange, routing_key, mandatory: true, properties, body }
}

/// How the server's quorum queues treat priorities, by the version that it reports.
pub(crate) fn quorum_priorities() -> QuorumPriorities {
    let server = probe(&options(), soon()).unwrap().remove(0).server.unwrap();
    QuorumPriorities::of_server(&server).unwrap_or_else(|| panic!("cannot tell the version of {server}"))
}

#[test]
fn the_amqp_broker_conforms() {
    Suite {
        make: &|| Arc::new(broker()),
        delete_queue: &delete_queue,
        clock: &SystemClock,
        patience: PATIENCE,
        quiet: Duration::from_millis(200),
        quorum_priorities: quorum_priorities(),
    }
    .run_all();
}

/// A full queue with reject-publish nacks. This is never reported as success.
#[test]
fn nack_is_an_error_of_unknown_outcome() {
    let queue = unique("full");
    let arguments = Headers::from([("x-max-length".into(), 1.into()), ("x-overflow".into(), "reject-publish".into())]);
    let broker = broker();
    let topology = Topology::new().queue(Queue::durable(queue.clone()).arguments(arguments));
    broker.declare(&topology, soon()).unwrap();
    let properties = Properties::default();
    let send = || broker.send(&message("", &queue, &properties, b"x"), soon()).unwrap().wait(soon());
    send().unwrap();
    let error = eventually(PATIENCE, || send().err());
    assert!(matches!(error, Error::Nacked { .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::Unknown);
    // And the broker goes on, on a new channel.
    delete_queue(&queue);
    broker.declare(&topology, soon()).unwrap();
    let error = send().err();
    assert!(matches!(error, None | Some(Error::Unroutable { .. })), "{error:?}");
}

/// Each nack costs a channel; who was just lent that one is told of a nack as well, and of nothing else.
#[test]
fn nacks_of_many_messages_reach_their_receipts() {
    let queue = unique("full");
    let arguments = Headers::from([("x-max-length".into(), 1.into()), ("x-overflow".into(), "reject-publish".into())]);
    let broker = AmqpBroker::new(options().channels(8)).unwrap();
    broker.declare(&Topology::new().queue(Queue::durable(queue.clone()).arguments(arguments)), soon()).unwrap();
    let properties = Properties::default();
    let send = || broker.send(&message("", &queue, &properties, b"x"), soon());
    eventually(PATIENCE, || send().unwrap().wait(soon()).is_err());
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let refused = send().and_then(|receipt| receipt.wait(soon()));
                    assert!(matches!(refused, Err(Error::Nacked { .. })), "{refused:?}");
                }
            });
        }
    });
    delete_queue(&queue);
}

/// A service sends copies of messages on to its other queues, on the channels on which it emits.
#[test]
fn returned_copy_is_not_taken_for_the_original() {
    let queue = unique("original");
    let broker = AmqpBroker::new(options().channels(1)).unwrap();
    broker.declare(&Topology::new().queue_with_priority(&queue, None), soon()).unwrap();
    let properties = Properties { message_id: Some("the-same".into()), ..Properties::default() };
    for _ in 0..50 {
        let original = broker.send(&message("", &queue, &properties, b"x"), soon()).unwrap();
        let copy = broker.send(&message("", "nowhere", &properties, b"x"), soon()).unwrap();
        let (original, copy) = (original.wait(soon()), copy.wait(soon()));
        assert!(original.is_ok(), "{original:?}");
        assert!(matches!(copy, Err(Error::Unroutable { .. })), "{copy:?}");
    }
    delete_queue(&queue);
}

/// The trap of the client library's default: 44 ms for each confirm, by Nagle's algorithm.
#[test]
fn confirm_does_not_wait_for_a_delayed_tcp_ack() {
    let queue = unique("nodelay");
    let broker = broker();
    broker.declare(&Topology::new().queue_with_priority(&queue, None), soon()).unwrap();
    let properties = Properties::default();
    let fastest_of_fifty = || {
        let confirm = |_| {
            let started = Instant::now();
            broker.send(&message("", &queue, &properties, b"x"), soon()).unwrap().wait(soon()).unwrap();
            started.elapsed()
        };
        let mut times = Vec::from_iter((0..50).map(confirm));
        times.sort_unstable();
        times[5]
    };
    // The first segments of a connection are acknowledged at once in any case.
    fastest_of_fifty();
    // Load makes confirms late. The trap makes nearly all of them late, by at least the kernel's 40 ms.
    let fastest = Vec::from_iter((0..5).map(|_| fastest_of_fifty()));
    assert!(fastest.iter().any(|time| *time < Duration::from_millis(30)), "a tenth took at most {fastest:?}");
    delete_queue(&queue);
}

/// An existing queue is used as it is, and said to differ where that is asked for.
#[test]
fn queue_with_other_arguments_is_used_or_refused_as_configured() {
    let queue = unique("legacy");
    let mut connection = raw();
    let options = amiquip::QueueDeclareOptions { durable: true, ..Default::default() };
    connection.open_channel(None).unwrap().queue_declare(queue.as_str(), options).unwrap();
    connection.close().unwrap();

    let broker = broker();
    let mut topology = Topology::new().queue_with_priority(&queue, Some(10));
    broker.declare(&topology, soon()).unwrap();
    let properties = Properties::default();
    broker.send(&message("", &queue, &properties, b"x"), soon()).unwrap().wait(soon()).unwrap();
    let subscription = broker.subscribe(&queue, ConsumeOptions::default(), soon()).unwrap();
    assert_eq!(subscription.next(soon()).unwrap().unwrap().body, b"x");

    topology.strict = true;
    let error = broker.declare(&topology, soon()).unwrap_err().to_string();
    assert!(error.contains("x-max-priority") && error.contains("EVENTS_QUEUE_MAX_PRIORITY"), "{error}");
    drop(subscription);
    delete_queue(&queue);
}

/// An exchange that exists with another type would not route events to the queues.
#[test]
fn exchange_of_another_type_is_refused_with_a_remedy() {
    let exchange = unique("direct");
    let broker = broker();
    broker.declare(&Topology::new().exchange(&exchange, ExchangeKind::Direct), soon()).unwrap();
    let error = broker.declare(&Topology::new().exchange(&exchange, ExchangeKind::Fanout), soon()).unwrap_err();
    assert!(matches!(&error, Error::Rejected { why } if why.contains("EVENTS_EXCHANGE")), "{error:?}");
}

/// Another program's use of a queue shows in its deletion.
#[test]
fn deleted_queue_ends_its_consumer_at_once() {
    let queue = unique("deleted");
    let broker = broker();
    broker.declare(&Topology::new().queue_with_priority(&queue, None), soon()).unwrap();
    let subscription = broker.subscribe(&queue, ConsumeOptions::default(), soon()).unwrap();
    delete_queue(&queue);
    let started = Instant::now();
    let error = subscription.next(soon()).unwrap_err();
    assert!(matches!(error, Error::Rejected { .. }), "{error:?}");
    assert!(started.elapsed() < PATIENCE);
}

/// Confirms of a thousand messages out at once, from several threads over two channels.
#[test]
fn pipelined_confirms_reach_their_own_receipts() {
    let queue = unique("pipeline");
    let broker = AmqpBroker::new(options().channels(2)).unwrap();
    broker.declare(&Topology::new().queue_with_priority(&queue, None), soon()).unwrap();
    let properties = Properties::default();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let receipts: Vec<_> = (0..1000)
                    .map(|number| {
                        // Every tenth goes nowhere, and its receipt alone says so.
                        let key = if number % 10 == 0 { "nowhere" } else { queue.as_str() };
                        (number, broker.send(&message("", key, &properties, b"x"), soon()).unwrap())
                    })
                    .collect();
                for (number, receipt) in receipts {
                    match receipt.wait(soon()) {
                        Ok(()) => assert_ne!(number % 10, 0),
                        Err(Error::Unroutable { .. }) => assert_eq!(number % 10, 0),
                        Err(other) => panic!("{other:?}"),
                    }
                }
            });
        }
    });
    delete_queue(&queue);
}
