//! A fleet in memory under a clock that the test moves by hand. In difference to the fleet of the test kit, a test
//! reaches its broker and its reply store, and puts messages there that no client would send.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use zc_events::{Clock, EventClient, ManualClock, Service, Settings, SettingsBuilder};
use zc_events_cache::memory::MemoryReplyStore;
use zc_events_protocol::Properties;
use zc_events_transport::memory::MemoryBroker;
use zc_events_transport::{Broker, ConsumeOptions, Delivery, Outgoing, Subscription};

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a service consumes.
const CONSUMED: [&str; 3] = ["orders-events", "orders-events.quarantine", "orders-notifications"];

/// A fleet of one service, `orders`.
pub(crate) struct ManualFleet {
    name: &'static str,
    pub(crate) clock: ManualClock,
}

impl ManualFleet {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, clock: ManualClock::new() }
    }

    pub(crate) fn settings(&self) -> SettingsBuilder {
        let url = format!("memory://{}", self.name);
        Settings::builder()
            .broker_url(&url)
            .events_redis_url(&url)
            .staging_name("test")
            .service_name("orders")
            .clock(Arc::new(self.clock.clone()))
    }

    pub(crate) fn client(&self) -> EventClient {
        EventClient::new(self.settings().build().unwrap()).unwrap()
    }

    pub(crate) fn broker(&self) -> MemoryBroker {
        MemoryBroker::named(self.name, Arc::new(self.clock.clone()))
    }

    pub(crate) fn store(&self) -> MemoryReplyStore {
        MemoryReplyStore::named(self.name, Arc::new(self.clock.clone()))
    }

    /// Puts a message on the exchange, past the client.
    pub(crate) fn publish(&self, properties: &Properties, body: &[u8]) {
        self.send("microservice-events-test", "", properties, body);
    }

    /// Puts a message on the exchange for notifications.
    pub(crate) fn publish_notification(&self, routing_key: &str, properties: &Properties, body: &[u8]) {
        self.send("microservice-notifications-test", routing_key, properties, body);
    }

    /// Puts a message into a queue.
    pub(crate) fn send_to(&self, queue: &str, properties: &Properties, body: &[u8]) {
        self.send("", queue, properties, body);
    }

    fn send(&self, exchange: &str, routing_key: &str, properties: &Properties, body: &[u8]) {
        let message = Outgoing { exchange, routing_key, mandatory: true, properties, body };
        let deadline = self.clock.deadline(PATIENCE);
        self.broker().send(&message, deadline).unwrap().wait(deadline).unwrap();
    }

    /// Moves the time on by a second whenever the service has nothing to do, until the condition holds.
    #[track_caller]
    pub(crate) fn pass_time_until(&self, service: &Service, condition: impl Fn() -> bool) {
        let broker = self.broker();
        // Not every service has all.
        let is_empty = || CONSUMED.iter().all(|queue| broker.queue_len(queue).unwrap_or(0) == 0);
        let is_out = || CONSUMED.iter().any(|queue| broker.unacked(queue).unwrap_or(0) != 0);
        let started = Instant::now();
        while !condition() {
            assert!(started.elapsed() < PATIENCE, "did not happen within {PATIENCE:?}");
            if service.health().under_way == 0 && is_empty() {
                // What is out and with no worker is on its way to one, or held back until the time has passed.
                let pause = if is_out() { Duration::from_millis(4) } else { Duration::from_micros(200) };
                thread::sleep(pause); // tidy: allow(thread::sleep) because what has become due must get a chance
                if service.health().under_way == 0 && is_empty() {
                    self.clock.advance(Duration::from_secs(1));
                }
            }
            thread::yield_now();
        }
    }

    /// A worker that takes a message and vanishes.
    pub(crate) fn take_and_vanish(&self, queue: &str) {
        let broker = self.broker();
        let subscription = self.subscribe(&broker, queue);
        assert!(subscription.next(self.clock.deadline(PATIENCE)).unwrap().is_some(), "`{queue}` is empty");
    }

    /// All that is in a queue, taken out.
    pub(crate) fn empty(&self, queue: &str) -> Vec<Delivery> {
        let broker = self.broker();
        let subscription = self.subscribe(&broker, queue);
        let mut taken = Vec::new();
        while let Some(delivery) = subscription.next(self.clock.deadline(Duration::ZERO)).unwrap() {
            delivery.settler.ack();
            taken.push(delivery);
        }
        taken
    }

    fn subscribe(&self, broker: &MemoryBroker, queue: &str) -> Box<dyn Subscription> {
        broker.subscribe(queue, ConsumeOptions::default(), self.clock.deadline(PATIENCE)).unwrap()
    }
}

/// Waits until the condition holds.
#[track_caller]
pub(crate) fn eventually(condition: impl Fn() -> bool) {
    test_support::eventually(PATIENCE, condition);
}
