//! A program with its own broker: it records every message in an audit trail before RabbitMQ gets it.
//!
//! [`Broker`] is a contract of eight calls. This implementation forwards seven calls unchanged and records the eighth. In the
//! same way a program can add a delay, a quota or a second data centre, without a change in its services and clients.
//!
//! ```sh
//! cargo run --example own_broker
//! ```

use std::sync::{Arc, Mutex, PoisonError};

use zc_events::transport::memory::MemoryBroker;
use zc_events::transport::{
    Broker, ConsumeOptions, Health, Inspection, Outgoing, Receipt, Result as BrokerResult, Subscription, Topology,
};
use zc_events::{Context, Deadline, Event, EventClient, Service, Settings, SystemClock, Value};

/// Records each message and sends it with another broker.
struct AuditedBroker {
    broker: Arc<dyn Broker>,
    trail: Arc<Trail>,
}

/// The exchange and the body length of each sent message. The body itself may hold secrets.
#[derive(Default)]
struct Trail(Mutex<Vec<(String, usize)>>);

impl Trail {
    fn write(&self, message: &Outgoing<'_>) {
        let entry = (message.exchange.to_owned(), message.body.len());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    fn entries(&self) -> Vec<(String, usize)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Broker for AuditedBroker {
    fn send(&self, message: &Outgoing<'_>, deadline: Deadline) -> BrokerResult<Receipt> {
        self.trail.write(message);
        self.broker.send(message, deadline)
    }

    fn declare(&self, topology: &Topology, deadline: Deadline) -> BrokerResult<()> {
        self.broker.declare(topology, deadline)
    }

    fn subscribe(
        &self,
        queue: &str,
        options: ConsumeOptions,
        deadline: Deadline,
    ) -> BrokerResult<Box<dyn Subscription>> {
        self.broker.subscribe(queue, options, deadline)
    }

    fn subscribe_with(
        &self,
        topology: &Topology,
        queue: &str,
        options: ConsumeOptions,
        deadline: Deadline,
    ) -> BrokerResult<Box<dyn Subscription>> {
        self.broker.subscribe_with(topology, queue, options, deadline)
    }

    fn inspect(&self, wanted: &Topology, deadline: Deadline) -> BrokerResult<Inspection> {
        self.broker.inspect(wanted, deadline)
    }

    fn remove(&self, topology: &Topology, deadline: Deadline) -> BrokerResult<()> {
        self.broker.remove(topology, deadline)
    }

    fn health(&self) -> Health {
        self.broker.health()
    }

    fn close(&self, deadline: Deadline) -> BrokerResult<()> {
        self.broker.close(deadline)
    }
}

/// A client whose messages are recorded. In production `broker` is RabbitMQ, opened by `Settings::open_broker`.
fn audited(settings: Settings, broker: Arc<dyn Broker>, trail: &Arc<Trail>) -> zc_events::Result<EventClient> {
    let broker = AuditedBroker { broker, trail: Arc::clone(trail) };
    EventClient::builder(settings).broker(Arc::new(broker)).build()
}

fn settings() -> zc_events::Result<Settings> {
    Settings::builder().broker_url("memory://").staging_name("test").service_name("orders").build()
}

fn main() -> zc_events::Result<()> {
    let (trail, broker) = (Arc::new(Trail::default()), Arc::new(MemoryBroker::new(Arc::new(SystemClock))));
    let client = audited(settings()?, broker, &trail)?;
    let _service = Service::builder(&client).on("order_created", |_: &Context, _: Value| Ok(())).start()?;
    client.emit(&Event::new("order_created").resource("Order", 5))?;
    for (exchange, bytes) in trail.entries() {
        println!("{bytes} bytes to {exchange}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_leaves_an_entry_and_arrives_all_the_same() {
        let (trail, broker) = (Arc::new(Trail::default()), Arc::new(MemoryBroker::new(Arc::new(SystemClock))));
        let client = audited(settings().unwrap(), broker.clone(), &trail).unwrap();
        let (handled, events) = std::sync::mpsc::channel();
        let service = Service::builder(&client)
            .on("order_created", move |_: &Context, event: Value| Ok(handled.send(event["resource_id"].clone())?))
            .start()
            .unwrap();
        client.emit(&Event::new("order_created").resource("Order", 5)).unwrap();
        assert_eq!(events.recv().unwrap(), 5);
        let entries = trail.entries();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].0, "microservice-events-test");
        assert!(entries[0].1 > 0 && broker.queue_len("orders-events").is_some());
        drop(service);
    }
}
