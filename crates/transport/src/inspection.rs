//! What a broker tells of a topology: what of it is there, how it differs, and what the user
//! may not do with it. How it is found out is the implementations' business.

/// How much of a [`Topology`](crate::Topology) there is; made by [`Broker::inspect`](crate::Broker::inspect).
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use zc_events_protocol::{Clock, SystemClock};
/// use zc_events_transport::memory::MemoryBroker;
/// use zc_events_transport::{Broker, Standing, Topology};
///
/// let broker = MemoryBroker::new(Arc::new(SystemClock));
/// let soon = SystemClock.deadline(Duration::from_secs(5));
/// broker.declare(&Topology::new().queue_with_priority("orders-events", Some(5)), soon)?;
///
/// let wanted = Topology::new().queue_with_priority("orders-events", Some(10)).dead_queue("orders-events.dead");
/// let found = broker.inspect(&wanted, soon)?;
/// let Standing::Different(differences) = &found.queues[0].standing else { panic!("{found:?}") };
/// assert_eq!((differences[0].what.as_str(), differences[0].found.as_str()), ("x-max-priority", "5"));
/// assert_eq!(found.queues[1].standing, Standing::Missing);
/// # Ok::<(), zc_events_transport::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// The exchanges, in the topology's order.
    pub exchanges: Vec<InspectedExchange>,
    /// The queues, in the topology's order.
    pub queues: Vec<InspectedQueue>,
    /// The bindings, in the topology's order: whether each is there. `None` where the broker
    /// does not tell: AMQP has no question for it.
    pub bindings: Vec<Option<bool>>,
    /// What the user may not do of all that a service does.
    pub lacks: Vec<Lack>,
}

/// An exchange that was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InspectedExchange {
    /// Its name.
    pub name: String,
    /// How it is.
    pub standing: Standing,
}

/// A queue that was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InspectedQueue {
    /// Its name.
    pub name: String,
    /// How it is.
    pub standing: Standing,
    /// How many messages wait in it, those that are out with consumers not counted; `None`
    /// where it is missing, or belongs to another connection.
    pub ready: Option<u64>,
    /// How many subscriptions consume it; `None` as above.
    pub consumers: Option<u64>,
}

/// How something is, compared with what was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// It is not there.
    Missing,
    /// It is there, and as it would be declared.
    AsWanted,
    /// It is there with other properties or arguments: to declare it as wanted would be refused (406).
    Different(Vec<Difference>),
    /// It is there, and the broker does not tell more, for this reason.
    Unknown(String),
}

impl Standing {
    /// Whether it is there.
    #[must_use]
    pub fn is_there(&self) -> bool {
        *self != Standing::Missing
    }
}

/// A property or an argument that is not as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// Its name, such as `type`, `durable` or `x-max-priority`.
    pub what: String,
    /// What would be declared; `none` where nothing would.
    pub wanted: String,
    /// What is there; `none` where nothing is.
    pub found: String,
}

/// One of the three rights that RabbitMQ gives for names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// To declare and to delete.
    Configure,
    /// To publish to an exchange, and to bind a queue.
    Write,
    /// To consume a queue, and to bind to an exchange.
    Read,
}

impl Right {
    /// The name that RabbitMQ has for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Right::Configure => "configure",
            Right::Write => "write",
            Right::Read => "read",
        }
    }
}

/// Something that the user may not do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lack {
    /// Which right it would take.
    pub right: Right,
    /// On what: the name of an exchange or a queue.
    pub on: String,
}
