//! The fixture of a check: a broker, unique names, and short ways to publish and to expect messages.

use std::cell::RefCell;
use std::sync::Arc;

use uuid::Uuid;
use zc_events_protocol::{Deadline, HeaderValue, Properties};

use super::suite::Suite;
use crate::{Broker, ConsumeOptions, Delivery, ExchangeKind, Outgoing, Queue, Receipt, Result, Subscription, Topology};

/// A broker for one check, and the queues and exchanges that the check declares.
pub(super) struct Fixture<'a> {
    pub(super) suite: Suite<'a>,
    pub(super) broker: Arc<dyn Broker>,
    run: String,
    queues: RefCell<Vec<String>>,
    exchanges: RefCell<Topology>,
}

impl<'a> Fixture<'a> {
    pub(super) fn new(suite: Suite<'a>) -> Self {
        let run = format!("conformance-{}", Uuid::new_v4().simple());
        Self { suite, broker: (suite.make)(), run, queues: RefCell::default(), exchanges: RefCell::default() }
    }

    /// Deletes the queues and exchanges after a check that passed. A failed check leaves them for examination.
    pub(super) fn clear(&self) {
        self.broker.close(self.soon()).expect("closing");
        let other = (self.suite.make)();
        other.remove(&self.exchanges.take(), self.soon()).expect("removing exchanges");
        other.close(self.soon()).expect("closing");
        for queue in self.queues.take() {
            (self.suite.delete_queue)(&queue);
        }
    }

    pub(super) fn soon(&self) -> Deadline {
        self.suite.clock.deadline(self.suite.patience)
    }

    pub(super) fn name(&self, stem: &str) -> String {
        format!("{}-{stem}", self.run)
    }

    pub(super) fn declare(&self, topology: &Topology) -> Result<()> {
        let declared = self.broker.declare(topology, self.soon());
        if declared.is_ok() {
            self.exchanges.borrow_mut().exchanges.extend_from_slice(&topology.exchanges);
        }
        declared
    }

    pub(super) fn exchange(&self, stem: &str, kind: ExchangeKind) -> String {
        let name = self.name(stem);
        self.declare(&Topology::new().exchange(&name, kind)).expect("declaring an exchange");
        name
    }

    pub(super) fn queue(&self, stem: &str) -> String {
        self.queue_with(stem, [])
    }

    pub(super) fn queue_with<const N: usize>(&self, stem: &str, arguments: [(&str, HeaderValue); N]) -> String {
        let queue = plain(&self.name(stem), arguments);
        let name = queue.name.clone();
        self.declare(&Topology::new().queue(queue)).expect("declaring a queue");
        self.owns(&name);
        name
    }

    /// Adds a queue to delete after the check.
    pub(super) fn owns(&self, queue: &str) {
        self.queues.borrow_mut().push(queue.to_owned());
    }

    /// Removes a queue from those to delete after the check.
    pub(super) fn disowns(&self, queue: &str) {
        self.queues.borrow_mut().retain(|owned| owned != queue);
    }

    pub(super) fn bind(&self, queue: &str, exchange: &str, key: &str) {
        self.declare(&Topology::new().bind(queue, exchange, key)).expect("binding");
    }

    /// Sends a message without waiting for its confirm.
    pub(super) fn send(&self, exchange: &str, key: &str, mandatory: bool, body: &str) -> Receipt {
        let properties = Properties::default();
        let message =
            Outgoing { exchange, routing_key: key, mandatory, properties: &properties, body: body.as_bytes() };
        self.broker.send(&message, self.soon()).expect("sending")
    }

    /// Publishes, and waits for the confirm.
    pub(super) fn publish(&self, exchange: &str, key: &str, body: &str) {
        self.send(exchange, key, false, body).wait(self.soon()).expect("a confirm");
    }

    /// Publishes to one queue, and waits for the confirm.
    pub(super) fn put(&self, queue: &str, body: &str) {
        self.publish("", queue, body);
    }

    pub(super) fn put_with(&self, queue: &str, properties: &Properties, body: &[u8]) {
        let message = Outgoing { exchange: "", routing_key: queue, mandatory: true, properties, body };
        self.broker.send(&message, self.soon()).expect("sending").wait(self.soon()).expect("a confirm");
    }

    pub(super) fn subscribe(&self, queue: &str, prefetch: u16) -> Box<dyn Subscription> {
        self.broker.subscribe(queue, ConsumeOptions { prefetch }, self.soon()).expect("subscribing")
    }

    /// The next delivery. Panics if none comes.
    #[track_caller]
    pub(super) fn next(&self, subscription: &dyn Subscription) -> Delivery {
        match subscription.next(self.soon()) {
            Ok(Some(delivery)) => delivery,
            Ok(None) => panic!("no message came within {:?}", self.suite.patience),
            Err(error) => panic!("expected a delivery, but the subscription failed: {error}"),
        }
    }

    /// Acknowledges the next delivery. Panics if it has another body.
    #[track_caller]
    pub(super) fn expect(&self, subscription: &dyn Subscription, body: &str) -> Delivery {
        let delivery = self.next(subscription);
        assert_eq!(text(&delivery), body, "expected another message");
        delivery.settler.ack();
        delivery
    }

    /// Panics if a message comes.
    #[track_caller]
    pub(super) fn expect_nothing(&self, subscription: &dyn Subscription) {
        match subscription.next(self.suite.clock.deadline(self.suite.quiet)) {
            Ok(None) => {}
            Ok(Some(delivery)) => panic!("expected no message, but got `{}`", text(&delivery)),
            Err(error) => panic!("expected no message, but the subscription failed: {error}"),
        }
    }

    /// Takes all messages out of a queue. Panics unless they are these, in this order.
    #[track_caller]
    pub(super) fn expect_content(&self, queue: &str, bodies: &[&str]) {
        // All other messages come before this one.
        self.put(queue, "the end");
        let subscription = self.subscribe(queue, 1);
        let mut found = Vec::new();
        loop {
            let delivery = self.next(&*subscription);
            let body = text(&delivery);
            delivery.settler.ack();
            if body == "the end" {
                break;
            }
            found.push(body);
        }
        assert_eq!(found, bodies, "the content of {queue}");
    }

    /// Panics if the broker cannot be used.
    #[track_caller]
    pub(super) fn expect_usable(&self) {
        let queue = self.queue("usable");
        self.put(&queue, "still there");
        self.expect_content(&queue, &["still there"]);
    }
}

/// A queue that is neither durable nor exclusive.
pub(super) fn plain<const N: usize>(name: &str, arguments: [(&str, HeaderValue); N]) -> Queue {
    let arguments = arguments.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Queue { durable: false, ..Queue::durable(name).arguments(arguments) }
}

pub(super) fn text(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.body).into_owned()
}
