//! What a broker reports about a topology: which parts exist, how they differ, and which permissions the user lacks.
//! The implementations of `Broker` find it out.

/// Which parts of a [`Topology`](crate::Topology) exist, and how they differ. Returned by
/// [`Broker::inspect`](crate::Broker::inspect).
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use zc_events_protocol::{Clock, SystemClock};
/// use zc_events_transport::memory::MemoryBroker;
/// use zc_events_transport::{Broker, Presence, Topology};
///
/// let broker = MemoryBroker::new(Arc::new(SystemClock));
/// let soon = SystemClock.deadline(Duration::from_secs(5));
/// broker.declare(&Topology::new().queue_with_priority("orders-events", Some(5)), soon)?;
///
/// let wanted = Topology::new().queue_with_priority("orders-events", Some(10)).dead_queue("orders-events.dead");
/// let found = broker.inspect(&wanted, soon)?;
/// let Presence::Different(differences) = &found.queues[0].presence else { panic!("{found:?}") };
/// assert_eq!((differences[0].what.as_str(), differences[0].found.as_str()), ("x-max-priority", "5"));
/// assert_eq!(found.queues[1].presence, Presence::Missing);
/// # Ok::<(), zc_events_transport::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// The exchanges, in the topology's order.
    pub exchanges: Vec<InspectedExchange>,
    /// The queues, in the topology's order.
    pub queues: Vec<InspectedQueue>,
    /// The bindings, in the topology's order: whether each exists. `None` if the broker does not tell: AMQP has no
    /// method for it.
    pub bindings: Vec<Option<bool>>,
    /// The permissions that a service needs and that the user lacks.
    pub missing_permissions: Vec<MissingPermission>,
}

/// An exchange of the topology.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InspectedExchange {
    /// Its name.
    pub name: String,
    /// Whether it exists, and how it differs.
    pub presence: Presence,
}

/// A queue of the topology.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InspectedQueue {
    /// Its name.
    pub name: String,
    /// Whether it exists, and how it differs.
    pub presence: Presence,
    /// How many messages are ready, without those that consumers have not acknowledged. `None` if the queue is missing
    /// or belongs to another connection.
    pub ready: Option<u64>,
    /// How many consumers it has. `None` in the same cases.
    pub consumers: Option<u64>,
}

/// Whether a queue or an exchange exists, compared with what would be declared.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presence {
    /// It does not exist.
    Missing,
    /// It exists, as it would be declared.
    AsWanted,
    /// It exists with other properties or arguments. The broker would refuse the declaration (406).
    Different(Vec<Difference>),
    /// It exists, and the broker does not tell more, for this reason.
    Unknown(String),
}

impl Presence {
    /// Whether it exists.
    #[must_use]
    pub fn exists(&self) -> bool {
        *self != Presence::Missing
    }
}

/// A property or an argument that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// Its name, such as `type`, `durable` or `x-max-priority`.
    pub what: String,
    /// The value that would be declared, or `none`.
    pub wanted: String,
    /// The value that exists, or `none`.
    pub found: String,
}

/// One of RabbitMQ's three permissions, which it grants by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Permission {
    /// To declare and to delete.
    Configure,
    /// To publish to an exchange, and to bind a queue.
    Write,
    /// To consume a queue, and to bind to an exchange.
    Read,
}

impl Permission {
    /// RabbitMQ's name for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Permission::Configure => "configure",
            Permission::Write => "write",
            Permission::Read => "read",
        }
    }
}

/// A permission that the user lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingPermission {
    /// Which permission is missing.
    pub permission: Permission,
    /// The name of the exchange or queue.
    pub on: String,
}
