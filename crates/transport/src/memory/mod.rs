//! A broker inside the process, for demos, for tests of one's own, and for programs that
//! need no other. It routes, orders, limits, expires and dead-letters as RabbitMQ does;
//! it keeps nothing on disk. Nothing here knows AMQP.
//!
//! Of the arguments of queues it honours `x-max-priority`, `x-message-ttl`, `x-max-length`,
//! `x-overflow`, `x-dead-letter-exchange` and `x-dead-letter-routing-key`; with `x-queue-type:
//! quorum` also `x-delivery-limit` and `x-dead-letter-strategy`, but no `x-max-priority`. A letter
//! held for a target that is full or gone is sent as soon as that changes (RabbitMQ looks
//! again every 3 minutes). What is requeued takes its old place, in a quorum queue, too, where
//! RabbitMQ may put it behind all others.

mod arguments;
mod consumer;
mod dead_letter;
mod exchange;
mod faults;
mod limits;
mod queue;
mod record;
mod server;
mod state;
mod subscription;
#[cfg(test)]
mod tests;
mod topic;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use crossbeam_channel::bounded;
use uuid::Uuid;
use zc_events_protocol::{Clock, Deadline, Outcome};

pub use self::faults::SendFault;
use self::faults::unavailable;
use self::queue::Content;
pub use self::record::Published;
use self::server::Server;
use self::state::{Moment, State};
use self::subscription::MemorySubscription;
use crate::{
    Broker, Confirmation, ConsumeOptions, Error, Health, Inspection, Outgoing, Receipt, Result, Subscription, Topology,
};

/// A handle of a broker in memory. Clones are the same handle; [`MemoryBroker::named`]
/// makes another one of the same broker.
///
/// Exclusive queues belong to a handle, and go when it is closed, or dropped with all its
/// clones and subscriptions. The broker and all messages go with its last handle.
///
/// No call but [`Subscription::next`] ever waits, unless the broker is told to [`block`](MemoryBroker::block).
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
pub struct MemoryBroker(Arc<Connection>);

impl MemoryBroker {
    /// A broker of its own. All that expires, expires by this clock.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::connect(Server::new(clock))
    }

    /// A new handle of the broker with that name in this process, which is made where
    /// there is none. One that exists keeps the clock that it was made with.
    #[must_use]
    pub fn named(name: &str, clock: Arc<dyn Clock>) -> Self {
        Self::connect(Server::named(name, clock))
    }

    /// How many messages are ready in a queue, those that are out with subscriptions not
    /// counted, those included that wait for a dead letter target that is full or gone;
    /// `None` where there is no such queue.
    #[must_use]
    pub fn queue_len(&self, queue: &str) -> Option<usize> {
        self.0.server.with(|state, _| state.ready(queue))
    }

    /// How many messages of a queue are out with subscriptions and have no verdict, those
    /// included that [`Subscription::next`] has not given out yet; `None` where there is
    /// no such queue.
    #[must_use]
    pub fn unacked(&self, queue: &str) -> Option<usize> {
        self.0.server.with(|state, _| state.unacked(queue))
    }

    /// How many subscriptions consume a queue; those that have ended are not counted.
    #[must_use]
    pub fn consumers(&self, queue: &str) -> usize {
        self.0.server.with(|state, _| state.consumers(queue))
    }

    /// How many calls wait because the broker is [blocked](MemoryBroker::block).
    #[must_use]
    pub fn waiting_to_send(&self) -> usize {
        self.0.server.gate.waiting()
    }

    /// How many messages of a queue [`Subscription::next`] has given out so far to the subscriptions that there are, and how
    /// many are with them and were not given out yet.
    #[must_use]
    pub fn taken_and_untaken(&self, queue: &str) -> (u64, usize) {
        self.0.server.with(|state, _| state.taken_and_untaken(queue))
    }

    /// When a message expires next, or comes out of a queue that delays it; `None` where none does.
    #[must_use]
    pub fn next_change(&self) -> Option<Instant> {
        self.0.server.with(|state, _| state.next_change())
    }

    /// Drops the messages that are ready in a queue and says how many they were; `None`
    /// where there is no such queue.
    pub fn purge(&self, queue: &str) -> Option<usize> {
        self.0.server.with(|state, moment| state.purge(queue, moment))
    }

    /// Deletes a queue with its messages and bindings; its subscriptions fail with
    /// [`Error::Rejected`]. Says whether there was one.
    pub fn delete_queue(&self, queue: &str) -> bool {
        self.0.server.with(|state, _| state.delete_queue(queue))
    }

    fn connect(server: Arc<Server>) -> Self {
        let id = server.with(|state, _| state.number());
        let (used, closed) = (AtomicBool::new(false), AtomicBool::new(false));
        Self(Arc::new(Connection { id, used, closed, server, adopted: Mutex::default() }))
    }

    /// Does something unless the handle was closed. Closing raises its flag before it
    /// takes the lock, so nothing slips in behind it.
    fn with<T>(&self, act: impl FnOnce(&mut State, Moment) -> Result<T>) -> Result<T> {
        self.0.used.store(true, Ordering::Relaxed);
        self.0.server.with(|state, moment| {
            if self.0.closed.load(Ordering::SeqCst) {
                return Err(Error::Closed);
            }
            state.faults.reachable()?;
            act(state, moment)
        })
    }
}

impl Broker for MemoryBroker {
    fn declare(&self, topology: &Topology, _deadline: Deadline) -> Result<()> {
        limits::topology(topology)?;
        self.with(|state, moment| state.declare(topology, self.0.id, moment))
    }

    fn send(&self, message: &Outgoing<'_>, deadline: Deadline) -> Result<Receipt> {
        limits::message(message)?;
        self.0.server.gate.pass(&*self.0.server.clock, deadline)?;
        let mut properties = message.properties.clone();
        properties.message_id.get_or_insert_with(|| Uuid::new_v4().to_string());
        let content = Content {
            exchange: message.exchange.to_owned(),
            routing_key: message.routing_key.to_owned(),
            properties,
            body: message.body.to_owned(),
        };
        self.with(|state, moment| {
            let fault = state.next_send_fault();
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
                Err(error) => Receipt::new(Box::new(Refused(Some(error)))),
            })
        })
    }

    fn subscribe(&self, queue: &str, options: ConsumeOptions, _deadline: Deadline) -> Result<Box<dyn Subscription>> {
        limits::name("the name of a queue", queue)?;
        let (wake, woken) = bounded(1);
        let (consumer, counts) = self.with(|state, moment| {
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
        self.with(|_, _| Ok(()))?;
        // A connection of its own, which lives as long as the subscription, and no longer than this one.
        let own = Self::connect(Arc::clone(&self.0.server));
        self.0.adopt(&own.0);
        own.declare(topology, deadline)?;
        own.subscribe(queue, options, deadline)
    }

    fn inspect(&self, wanted: &Topology, _deadline: Deadline) -> Result<Inspection> {
        limits::topology(wanted)?;
        self.with(|state, _| Ok(state.inspect(wanted, self.0.id)))
    }

    fn remove(&self, topology: &Topology, _deadline: Deadline) -> Result<()> {
        limits::topology(topology)?;
        self.with(|state, _| {
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
            blocked: self.0.server.gate.blocked(),
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
        // Not what is inside: bodies are no one's business.
        f.debug_struct("MemoryBroker").field("connection", &self.0.id).finish_non_exhaustive()
    }
}

/// What belongs to one handle, its clones and its subscriptions.
struct Connection {
    id: u64,
    used: AtomicBool,
    closed: AtomicBool,
    server: Arc<Server>,
    /// The connections of subscriptions that have one of their own.
    adopted: Mutex<Vec<Weak<Connection>>>,
}

impl Connection {
    /// Closes another one when this one is closed by its user.
    fn adopt(&self, other: &Arc<Connection>) {
        let mut adopted = self.adopted.lock().unwrap_or_else(PoisonError::into_inner);
        adopted.retain(|connection| connection.strong_count() > 0);
        adopted.push(Arc::downgrade(other));
    }

    fn close(&self) {
        if !self.closed.swap(true, Ordering::SeqCst) {
            self.server.with(|state, moment| state.disconnect(self.id, moment));
        }
    }

    fn close_all(&self) {
        self.close();
        let adopted = std::mem::take(&mut *self.adopted.lock().unwrap_or_else(PoisonError::into_inner));
        adopted.iter().filter_map(Weak::upgrade).for_each(|connection| connection.close());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

/// The receipt of a message that did not get where it should.
struct Refused(Option<Error>);

impl Confirmation for Refused {
    fn wait(mut self: Box<Self>, _deadline: Deadline) -> Result<()> {
        self.verdict().unwrap_or(Ok(()))
    }

    fn verdict(&mut self) -> Option<Result<()>> {
        self.0.take().map(Err)
    }
}
