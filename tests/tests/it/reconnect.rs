//! The AMQP transport while its connections are cut and stalled by a proxy: it comes back
//! by itself, leaves nothing behind, and keeps what is out within its limit.

use std::fs;
use std::thread;
use std::time::Duration;

use integration_tests::proxy::{Ending, Mode, Proxy, Way};
use integration_tests::{broker_url, eventually, in_own_process, unique};
use zc_events_protocol::{Clock, Deadline, Outcome, Properties, Stage, SystemClock};
use zc_events_transport::amqp::{AmqpBroker, AmqpOptions};
use zc_events_transport::{Broker, ConsumeOptions, Error, Outgoing, Receipt, Result, Topology};

const PATIENCE: Duration = Duration::from_secs(30);

fn soon() -> Deadline {
    SystemClock.deadline(PATIENCE)
}

/// A proxy before the broker, and the URL that leads through it.
fn proxy() -> (Proxy, String) {
    Proxy::before(&broker_url()).unwrap()
}

fn broker(url: &str, change: impl FnOnce(AmqpOptions) -> AmqpOptions) -> AmqpBroker {
    AmqpBroker::new(change(AmqpOptions::new(url.parse().unwrap()))).unwrap()
}

fn send(broker: &AmqpBroker, queue: &str, body: &[u8], deadline: Deadline) -> Result<Receipt> {
    let properties = Properties::default();
    let message = Outgoing { exchange: "", routing_key: queue, mandatory: true, properties: &properties, body };
    broker.send(&message, deadline)
}

fn delete_queue(queue: &str) {
    let mut connection = amiquip::Connection::insecure_open(&broker_url()).unwrap();
    connection.open_channel(None).unwrap().queue_delete(queue, amiquip::QueueDeleteOptions::default()).unwrap();
    connection.close().unwrap();
}

fn count(folder: &str) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn lost_connection_is_reopened_with_its_topology() {
    let (proxy, url) = proxy();
    let broker = broker(&url, |options| options);
    assert_eq!((broker.health().connections, broker.health().connected), (0, false));
    let queue = unique("reconnect");
    broker.declare(&Topology::new().queue_with_priority(&queue, None), soon()).unwrap();
    for cut in 1..=5 {
        let before = broker.health();
        assert_eq!((before.connections, before.connected), (cut, true));
        assert!(before.node.is_some_and(|node| node.starts_with("127.0.0.1:")));
        if cut == 3 {
            delete_queue(&queue);
        }
        proxy.cut_all(Ending::Fin);
        eventually(PATIENCE, || {
            let health = broker.health();
            health.connected && health.connections == cut + 1
        });
    }
    let health = broker.health();
    assert!(health.last_error.is_some_and(|error| error.contains("lost")), "{:?}", health.last_error_at);
    // The queue that was deleted is there again.
    send(&broker, &queue, b"x", soon()).unwrap().wait(soon()).unwrap();
    broker.close(soon()).unwrap();
    proxy.cut_all(Ending::Fin);
    delete_queue(&queue);
    assert!(matches!(send(&broker, &queue, b"x", soon()), Err(Error::Closed)));
    assert_eq!(broker.health().connections, 6);
}

/// In a process of its own, since it counts the threads and descriptors of the process.
#[test]
fn thousand_forced_closes_leak_no_threads_or_descriptors() {
    in_own_process(|| {
        let (proxy, url) = proxy();
        let queue = unique("closes");
        let broker = broker(&url, |options| options.channels(2));
        broker.declare(&Topology::new().queue_with_priority(&queue, None), soon()).unwrap();
        send(&broker, &queue, b"x", soon()).unwrap().wait(soon()).unwrap();
        let now = || (count("/proc/self/task"), count("/proc/self/fd"));
        let before = now();
        let mut confirmed = 0;
        for _ in 0..1000 {
            // Out when the connection goes, and dropped.
            let lost = send(&broker, &queue, b"x", soon());
            proxy.cut_all(Ending::Fin);
            drop(lost);
            let sent = send(&broker, &queue, b"x", soon()).and_then(|receipt| receipt.wait(soon()));
            confirmed += usize::from(sent.is_ok());
        }
        assert!(broker.health().connections >= 900, "{:?}", broker.health());
        assert!(confirmed > 100, "{confirmed} of 1000 were confirmed");
        eventually(PATIENCE, || send(&broker, &queue, b"x", soon()).and_then(|receipt| receipt.wait(soon())).is_ok());
        // A few are the pool's and the last connection's.
        eventually(PATIENCE, || {
            let after = now();
            let health = broker.health();
            (after.0 <= before.0 + 4 && after.1 <= before.1 + 8 && health.unconfirmed == 0).then_some(())
        });
        broker.close(soon()).unwrap();
        drop(broker);
        eventually(PATIENCE, || now().0 < before.0);
        delete_queue(&queue);
    });
}

#[test]
fn bytes_in_flight_stay_within_their_limit() {
    const LIMIT: usize = 256 * 1024;
    let (proxy, url) = proxy();
    let queue = unique("in-flight");
    let broker = broker(&url, |options| options.in_flight_bytes(LIMIT).channels(2));
    broker.declare(&Topology::new().queue_with_priority(&queue, None), soon()).unwrap();
    let body = vec![b'x'; 50_000];
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut kept = Vec::new();
                for number in 0..100 {
                    let receipt = send(&broker, &queue, &body, soon()).unwrap();
                    assert!(broker.health().unconfirmed_bytes <= LIMIT);
                    // Some are dropped, some waited for much later.
                    if number % 2 == 0 {
                        kept.push(receipt);
                    }
                }
                kept.into_iter().for_each(|receipt| receipt.wait(soon()).unwrap());
            });
        }
    });
    // Larger than the limit: alone, but it goes.
    send(&broker, &queue, &vec![b'x'; 2 * LIMIT], soon()).unwrap().wait(soon()).unwrap();
    eventually(PATIENCE, || broker.health().unconfirmed == 0);

    // Nothing gets through: the limit is reached, and said to be the reason.
    proxy.set(Way::Up, Mode::Hold);
    let mut receipts = Vec::new();
    let error = loop {
        match send(&broker, &queue, &body, SystemClock.deadline(Duration::from_secs(2))) {
            Ok(receipt) => receipts.push(receipt),
            Err(error) => break error,
        }
        assert!(receipts.len() <= LIMIT / body.len(), "beyond the limit");
    };
    assert!(matches!(error, Error::Timeout { stage: Stage::InFlight }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert_eq!(broker.health().unconfirmed, receipts.len());
    // A receipt that is given up after its time takes no room for ever.
    let given_up = receipts.pop().unwrap().wait(SystemClock.deadline(Duration::from_millis(10)));
    assert!(matches!(given_up, Err(Error::Timeout { stage: Stage::Confirm })), "{given_up:?}");
    drop(receipts);
    proxy.set(Way::Up, Mode::Pass);
    send(&broker, &queue, &body, soon()).unwrap().wait(soon()).unwrap();
    eventually(PATIENCE, || broker.health().unconfirmed == 0);

    // Nor does the end of a connection.
    proxy.set(Way::Up, Mode::Hold);
    let receipt = send(&broker, &queue, &body, soon()).unwrap();
    assert_eq!(broker.health().unconfirmed_bytes, body.len());
    proxy.cut_all(Ending::Fin);
    proxy.set(Way::Up, Mode::Pass);
    assert_eq!(receipt.wait(soon()).unwrap_err().outcome(), Outcome::Unknown);
    eventually(PATIENCE, || broker.health().unconfirmed_bytes == 0);
    broker.close(soon()).unwrap();
    delete_queue(&queue);
}

#[test]
fn subscription_reports_a_lost_connection_or_queue() {
    let (proxy, url) = proxy();
    let queue = unique("gone");
    let broker = broker(&url, |options| options);
    broker.declare(&Topology::new().queue_with_priority(&queue, None), soon()).unwrap();
    let subscription = broker.subscribe(&queue, ConsumeOptions::default(), soon()).unwrap();
    proxy.cut_all(Ending::Fin);
    assert!(matches!(subscription.next(soon()), Err(Error::Unavailable { .. })));
    drop(subscription);
    let subscription = broker.subscribe(&queue, ConsumeOptions::default(), soon()).unwrap();
    delete_queue(&queue);
    assert!(matches!(subscription.next(soon()), Err(Error::Rejected { .. })));
    drop(subscription);
    broker.close(soon()).unwrap();
}
