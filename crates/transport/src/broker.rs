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
    /// Makes sure that the topology exists. A queue that exists already is used as it is,
    /// whatever its arguments; an exchange must be of the right kind; what is missing is declared. Remembered, and repeated on each new
    /// connection, those of [`Broker::subscribe`] included.
    ///
    /// # Errors
    /// [`Rejected`](crate::Error::Rejected) where the broker refuses, else as for [`Broker::send`].
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
    /// [`Rejected`](crate::Error::Rejected) where the queue is missing or locked, else as for [`Broker::send`].
    fn subscribe(&self, queue: &str, options: ConsumeOptions, deadline: Deadline) -> Result<Box<dyn Subscription>>;

    /// [`Broker::subscribe`] to a queue of `topology`, which is declared on the connection that consumes it: a queue in it
    /// that is exclusive is this subscription's, and goes with it. Nothing of it is remembered. This is how somebody
    /// looks on who takes nothing from anybody.
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

    /// Compares what is there with `wanted`, and finds out what the user may not do with it, for
    /// diagnosis. Changes nothing, creates nothing, and takes no message. On a connection of its own,
    /// since a broker may answer by closing it.
    ///
    /// # Errors
    /// As for [`Broker::send`]. That something is missing, or differs, or is not allowed, is none.
    fn inspect(&self, wanted: &Topology, deadline: Deadline) -> Result<Inspection>;

    /// Deletes the queues of the topology with all that is in them, then its exchanges, and
    /// forgets them: they are not declared again on a new connection. What is not there is passed over.
    ///
    /// # Errors
    /// [`Rejected`](crate::Error::Rejected) where the user may not delete one; what comes before
    /// it is gone then. Else as for [`Broker::send`].
    fn remove(&self, topology: &Topology, deadline: Deadline) -> Result<()>;

    /// What is known of the connection, without asking the broker.
    fn health(&self) -> Health;

    /// Closes the connections. Calls made afterwards fail with
    /// [`Closed`](crate::Error::Closed). Closing twice is no error.
    ///
    /// # Errors
    /// [`Timeout`](crate::Error::Timeout): the connections were cut off instead of closed in peace.
    fn close(&self, deadline: Deadline) -> Result<()>;
}
