//! The contract: what a broker does for the layers above. Implementations live in
//! `amqp` and `memory`; what both must do the same is checked by `conformance`.

use std::fmt;
use std::time::Instant;

use zc_events_protocol::{Deadline, Properties};

use crate::{Inspection, Receipt, Result, Subscription, Topology};

/// A message on its way out.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// The exchange, empty for the default one (which routes by queue name).
    pub exchange: &'a str,
    /// At most 255 bytes.
    pub routing_key: &'a str,
    /// Whether a message that no queue takes is reported as [`Error::Unroutable`](crate::Error::Unroutable).
    pub mandatory: bool,
    /// Sent as they are, but for a `message_id`, which is filled in where absent.
    pub properties: &'a Properties,
    /// The body.
    pub body: &'a [u8],
}

impl fmt::Debug for Outgoing<'_> {
    /// Without the body and the headers' values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("exchange", &self.exchange)
            .field("routing_key", &self.routing_key)
            .field("mandatory", &self.mandatory)
            .field("properties", &self.properties)
            .field("body_len", &self.body.len())
            .finish()
    }
}

/// How a queue is consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumeOptions {
    /// How many deliveries may be out without a verdict, at least 1. 0 is taken as 1: it
    /// would mean "no limit", and the queue in memory has none.
    pub prefetch: u16,
}

impl Default for ConsumeOptions {
    fn default() -> Self {
        Self { prefetch: 64 }
    }
}

/// What a broker knows of its connection for publishing; subscriptions have their own, and
/// say what becomes of them.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Health {
    /// Whether it is there. A broker that has not been used yet has none.
    pub connected: bool,
    /// The node that it leads to, as `host:port`; `None` without a connection, and in memory.
    pub node: Option<String>,
    /// Since when, and why, the broker takes no messages (a memory or disk alarm).
    pub blocked: Option<(Instant, String)>,
    /// What the last failure said. It stays when all is well again.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<Instant>,
    /// How often it was opened so far.
    pub connections: u64,
    /// Messages that were handed over and are not confirmed yet.
    pub unconfirmed: usize,
    /// The bytes of their bodies.
    pub unconfirmed_bytes: usize,
}

/// A broker: exchanges, queues, and messages between them.
///
/// All calls block, at most until their deadline. Clones of the handle that implements
/// this share connections; it may be used from any thread.
pub trait Broker: Send + Sync {
    /// Makes sure that the topology exists. An existing queue is used as it is, with any arguments. An existing exchange
    /// must be of the right kind. Missing queues, exchanges and bindings are declared. The broker remembers the topology
    /// and declares it again on each new connection, also on those of [`Broker::subscribe`].
    ///
    /// # Errors
    /// [`Rejected`](crate::Error::Rejected) if the broker refuses, otherwise as for [`Broker::send`].
    fn declare(&self, topology: &Topology, deadline: Deadline) -> Result<()>;

    /// Sends a message to the broker. The [`Receipt`] returns the result later. A caller that does not need the result
    /// drops it.
    ///
    /// # Errors
    /// All errors of this call mean that the message was not sent, but for a
    /// [`Timeout`](crate::Error::Timeout) of [`Stage::Send`](zc_events_protocol::Stage::Send) and an
    /// [`Unavailable`](crate::Error::Unavailable) whose outcome is unknown.
    fn send(&self, message: &Outgoing<'_>, deadline: Deadline) -> Result<Receipt>;

    /// Starts to consume a queue, on a connection of its own.
    ///
    /// # Errors
    /// [`Rejected`](crate::Error::Rejected) if the queue is missing or locked, otherwise as for [`Broker::send`].
    fn subscribe(&self, queue: &str, options: ConsumeOptions, deadline: Deadline) -> Result<Box<dyn Subscription>>;

    /// Like [`Broker::subscribe`], but first declares `topology` on the connection that consumes `queue`. An exclusive
    /// queue in it belongs to this subscription and is deleted with it. The topology is not remembered. Use this to watch
    /// messages without taking them from other consumers.
    ///
    /// # Errors
    /// As for [`Broker::declare`] and [`Broker::subscribe`].
    fn subscribe_with(
        &self,
        topology: &Topology,
        queue: &str,
        options: ConsumeOptions,
        deadline: Deadline,
    ) -> Result<Box<dyn Subscription>>;

    /// Compares the existing topology with `wanted`, and finds out which permissions the user lacks, for diagnosis.
    /// It changes nothing, creates nothing, and takes no message. It uses a connection of its own, because a broker may
    /// answer by closing it.
    ///
    /// # Errors
    /// As for [`Broker::send`]. A missing, different or forbidden queue or exchange is no error.
    fn inspect(&self, wanted: &Topology, deadline: Deadline) -> Result<Inspection>;

    /// Deletes the queues of the topology with their messages, then its exchanges, and forgets them: they are not
    /// declared again on a new connection. Queues and exchanges that do not exist are skipped.
    ///
    /// # Errors
    /// [`Rejected`](crate::Error::Rejected) if the user may not delete one; those before it are already deleted.
    /// Otherwise as for [`Broker::send`].
    fn remove(&self, topology: &Topology, deadline: Deadline) -> Result<()>;

    /// The state of the connection, without asking the broker.
    fn health(&self) -> Health;

    /// Closes the connections. Calls made afterwards fail with
    /// [`Closed`](crate::Error::Closed). Closing twice is no error.
    ///
    /// # Errors
    /// [`Timeout`](crate::Error::Timeout): the connections were cut off before they could close cleanly.
    fn close(&self, deadline: Deadline) -> Result<()>;
}
