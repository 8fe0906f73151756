//! [`MemoryBroker`], and how it fulfils the contract of a broker.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_channel::bounded;
use uuid::Uuid;
use zc_events_protocol::{Clock, Deadline, Outcome};

use super::amqp_limits;
use super::faults::{SendFault, unavailable};
use super::handle::BrokerHandle;
use super::memory_subscription::MemorySubscription;
use super::message::MessageContent;
use super::server::MemoryServer;
use crate::{
    Broker, Confirmation, ConsumeOptions, Error, Health, Inspection, Outgoing, QuorumPriorities, Receipt, Result,
    Subscription, Topology,
};

/// A handle of a broker in memory. Clones are the same handle; [`MemoryBroker::named`] makes another handle of the same
/// broker.
///
/// Exclusive queues belong to a handle. They are deleted when it is closed, or dropped with all its clones and
/// subscriptions. The broker and all messages are dropped with its last handle.
///
/// Only [`Subscription::next`] waits, and calls that send while the broker is [blocked](MemoryBroker::block).
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use zc_events_protocol::{Clock, Properties, SystemClock};
/// use zc_events_transport::memory::MemoryBroker;
/// use zc_events_transport::{Broker, ConsumeOptions, ExchangeKind, Outgoing, Subscription, Topology};
///
/// let broker = MemoryBroker::new(Arc::new(SystemClock));
/// let soon = SystemClock.deadline(Duration::from_secs(5));
/// let topology = Topology::new()
///     .exchange("microservice-events", ExchangeKind::Fanout)
///     .queue_with_priority("orders-events", Some(10))
///     .bind("orders-events", "microservice-events", "");
/// broker.declare(&topology, soon)?;
///
/// let properties = Properties::default();
/// let message = Outgoing {
///     exchange: "microservice-events",
///     routing_key: "",
///     mandatory: true,
///     properties: &properties,
///     body: b"{}",
/// };
/// broker.send(&message, soon)?.wait(soon)?;
///
/// let mut orders = broker.subscribe("orders-events", ConsumeOptions::default(), soon)?;
/// let delivery = orders.next(soon)?.expect("it was confirmed");
/// assert_eq!(delivery.body, b"{}");
/// delivery.settler.ack();
/// assert_eq!(broker.unacked("orders-events"), Some(0));
/// # Ok::<(), zc_events_transport::Error>(())
/// ```
#[derive(Clone)]
pub struct MemoryBroker(pub(super) Arc<BrokerHandle>);

impl MemoryBroker {
    /// A new broker. Messages expire by this clock.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::connect(MemoryServer::new(clock))
    }

    /// A new handle of the broker with that name in this process. Creates the broker if there is none; an existing one
    /// keeps its clock.
    #[must_use]
    pub fn named(name: &str, clock: Arc<dyn Clock>) -> Self {
        Self::connect(MemoryServer::named(name, clock))
    }

    /// Sets how quorum queues treat priorities: as RabbitMQ 3.x does ([`Ignored`](QuorumPriorities::Ignored), the
    /// default) or as 4.x does ([`TwoLevels`](QuorumPriorities::TwoLevels)). It applies to quorum queues that are
    /// declared from now on, through any handle.
    #[must_use]
    pub fn with_quorum_priorities(self, priorities: QuorumPriorities) -> Self {
        self.0.server.with(|state, _| state.quorum_priorities = priorities);
        self
    }

    /// How many messages are ready in a queue, including dead letters that wait for a target that is full or missing,
    /// without unacknowledged messages. `None` if there is no such queue.
    #[must_use]
    pub fn queue_len(&self, queue: &str) -> Option<usize> {
        self.0.server.with(|state, _| state.ready(queue))
    }

    /// How many messages of a queue are unacknowledged, including those that [`Subscription::next`] has not returned
    /// yet. `None` if there is no such queue.
    #[must_use]
    pub fn unacked(&self, queue: &str) -> Option<usize> {
        self.0.server.with(|state, _| state.unacked(queue))
    }

    /// How many subscriptions consume a queue, without those that have ended.
    #[must_use]
    pub fn consumers(&self, queue: &str) -> usize {
        self.0.server.with(|state, _| state.consumers(queue))
    }

    /// How many calls wait because the broker is [blocked](MemoryBroker::block).
    #[must_use]
    pub fn waiting_to_send(&self) -> usize {
        self.0.server.flow_control.waiting()
    }

    /// How many messages of a queue [`Subscription::next`] has returned so far, of all existing subscriptions, and how
    /// many they hold that it has not returned yet.
    #[must_use]
    pub fn taken_and_untaken(&self, queue: &str) -> (u64, usize) {
        self.0.server.with(|state, _| state.taken_and_untaken(queue))
    }

    /// When the next message expires, or leaves a queue that delays it. `None` if there is none.
    #[must_use]
    pub fn next_change(&self) -> Option<Instant> {
        self.0.server.with(|state, _| state.next_change())
    }

    /// Drops the messages that are ready in a queue and returns their number. `None` if there is no such queue.
    pub fn purge(&self, queue: &str) -> Option<usize> {
        self.0.server.with(|state, moment| state.purge(queue, moment))
    }

    /// Deletes a queue with its messages and bindings. Its subscriptions fail with [`Error::Rejected`]. Returns whether
    /// it existed.
    pub fn delete_queue(&self, queue: &str) -> bool {
        self.0.server.with(|state, _| state.delete_queue(queue))
    }

    fn connect(server: Arc<MemoryServer>) -> Self {
        Self(Arc::new(BrokerHandle::new(server)))
    }
}

impl Broker for MemoryBroker {
    fn declare(&self, topology: &Topology, _deadline: Deadline) -> Result<()> {
        amqp_limits::topology(topology)?;
        self.0.with(|state, moment| state.declare(topology, self.0.id, moment))
    }

    fn send(&self, message: &Outgoing<'_>, deadline: Deadline) -> Result<Receipt> {
        amqp_limits::message(message)?;
        self.0.server.flow_control.wait_until_unblocked(&*self.0.server.clock, deadline)?;
        let mut properties = message.properties.clone();
        properties.message_id.get_or_insert_with(|| Uuid::new_v4().to_string());
        let content = MessageContent {
            exchange: message.exchange.to_owned(),
            routing_key: message.routing_key.to_owned(),
            properties,
            body: message.body.to_owned(),
        };
        self.0.with(|state, moment| {
            let fault = state.faults.next_send_fault();
            let lost = || unavailable("the connection was lost before the confirm".to_owned(), Outcome::Unknown);
            let published = match fault {
                Some(SendFault::Unavailable) => {
                    return Err(unavailable("the connection was lost".to_owned(), Outcome::NotSent));
                }
                Some(SendFault::MessageLost) => Err(lost()),
                Some(SendFault::Unroutable) => Err(Error::Unroutable {
                    exchange: message.exchange.to_owned(),
                    routing_key: message.routing_key.to_owned(),
                }),
                Some(SendFault::ConfirmLost) => {
                    state.publish(content, message.mandatory, moment).and_then(|()| Err(lost()))
                }
                Some(SendFault::Nacked) => state
                    .publish(content, message.mandatory, moment)
                    .and_then(|()| Err(Error::Nacked { exchange: message.exchange.to_owned() })),
                None => state.publish(content, message.mandatory, moment),
            };
            Ok(match published {
                Ok(()) => Receipt::confirmed(),
                Err(error) => Receipt::new(Box::new(FailedReceipt(Some(error)))),
            })
        })
    }

    fn subscribe(&self, queue: &str, options: ConsumeOptions, _deadline: Deadline) -> Result<Box<dyn Subscription>> {
        amqp_limits::name("the name of a queue", queue)?;
        let (wake, woken) = bounded(1);
        let (consumer, counts) = self.0.with(|state, moment| {
            let consumer = state.subscribe(queue, self.0.id, options.prefetch, wake, moment)?;
            Ok((consumer, state.is_quorum(queue)))
        })?;
        Ok(Box::new(MemorySubscription::new(self.0.clone(), queue, consumer, counts, woken)))
    }

    fn subscribe_with(
        &self,
        topology: &Topology,
        queue: &str,
        options: ConsumeOptions,
        deadline: Deadline,
    ) -> Result<Box<dyn Subscription>> {
        self.0.with(|_, _| Ok(()))?;
        // A handle of its own, which lives as long as the subscription, and no longer than this one.
        let own = Self::connect(Arc::clone(&self.0.server));
        self.0.adopt(&own.0);
        own.declare(topology, deadline)?;
        own.subscribe(queue, options, deadline)
    }

    fn inspect(&self, wanted: &Topology, _deadline: Deadline) -> Result<Inspection> {
        amqp_limits::topology(wanted)?;
        self.0.with(|state, _| Ok(state.inspect(wanted, self.0.id)))
    }

    fn remove(&self, topology: &Topology, _deadline: Deadline) -> Result<()> {
        amqp_limits::topology(topology)?;
        self.0.with(|state, _| {
            state.remove(topology);
            Ok(())
        })
    }

    fn health(&self) -> Health {
        let used = self.0.used.load(Ordering::Relaxed);
        let down = self.0.server.with(|state, _| state.faults.down.clone());
        Health {
            connected: used && down.is_none() && !self.0.closed.load(Ordering::SeqCst),
            connections: u64::from(used),
            blocked: self.0.server.flow_control.blocked(),
            last_error: down,
            ..Health::default()
        }
    }

    fn close(&self, _deadline: Deadline) -> Result<()> {
        self.0.close_all();
        Ok(())
    }
}

impl fmt::Debug for MemoryBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the content: bodies may contain secrets.
        f.debug_struct("MemoryBroker").field("handle", &self.0.id).finish_non_exhaustive()
    }
}

/// The receipt of a message that was not accepted.
struct FailedReceipt(Option<Error>);

impl Confirmation for FailedReceipt {
    fn wait(mut self: Box<Self>, _deadline: Deadline) -> Result<()> {
        self.verdict().unwrap_or(Ok(()))
    }

    fn verdict(&mut self) -> Option<Result<()>> {
        self.0.take().map(Err)
    }
}
