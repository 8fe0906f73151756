//! What is declared: exchanges, queues and the bindings between them. Which ones a
//! service needs is known above; how they are declared, in the implementations.

use zc_events_protocol::Headers;

/// How an exchange routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExchangeKind {
    /// To every queue that is bound.
    Fanout,
    /// To the queues whose binding key, with `*` for one word and `#` for any number,
    /// matches the routing key.
    Topic,
    /// To the queues whose binding key is the routing key.
    Direct,
}

impl ExchangeKind {
    /// The name that AMQP has for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ExchangeKind::Fanout => "fanout",
            ExchangeKind::Topic => "topic",
            ExchangeKind::Direct => "direct",
        }
    }
}

/// A durable exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// At most 255 bytes.
    pub name: String,
    /// How it routes.
    pub kind: ExchangeKind,
}

/// A queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    /// At most 255 bytes.
    pub name: String,
    /// Whether it survives a restart of the broker. All queues of services do.
    pub durable: bool,
    /// Whether it belongs to its connection and goes with it.
    pub exclusive: bool,
    /// Such as `x-max-priority`, a signed integer.
    pub arguments: Headers,
}

/// A binding of a queue to an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The queue.
    pub queue: String,
    /// The exchange.
    pub exchange: String,
    /// The binding key; a fanout ignores it.
    pub routing_key: String,
}

/// A set of exchanges, queues and bindings.
///
/// ```
/// use zc_events_transport::{ExchangeKind, Topology};
/// let topology = Topology::new()
///     .exchange("microservice-events", ExchangeKind::Fanout)
///     .queue_with_priority("orders-events", Some(10))
///     .bind("orders-events", "microservice-events", "");
/// assert_eq!(topology.queues.len(), 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topology {
    /// Declared first.
    pub exchanges: Vec<Exchange>,
    /// Declared second.
    pub queues: Vec<Queue>,
    /// Declared last.
    pub bindings: Vec<Binding>,
    /// Whether a queue that exists with other arguments is an error. Otherwise it is used
    /// as it is, and the difference is logged.
    pub strict: bool,
}

impl Topology {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a durable exchange.
    #[must_use]
    pub fn exchange(mut self, name: impl Into<String>, kind: ExchangeKind) -> Self {
        self.exchanges.push(Exchange { name: name.into(), kind });
        self
    }

    /// Adds a queue.
    #[must_use]
    pub fn queue(mut self, queue: Queue) -> Self {
        self.queues.push(queue);
        self
    }

    /// Adds a durable queue, with `x-max-priority` where a maximum is given.
    #[must_use]
    pub fn queue_with_priority(self, name: impl Into<String>, max_priority: Option<u8>) -> Self {
        let arguments =
            max_priority.map(|max| ("x-max-priority".to_owned(), i64::from(max).into())).into_iter().collect();
        self.queue(Queue { name: name.into(), durable: true, exclusive: false, arguments })
    }

    /// Adds a binding.
    #[must_use]
    pub fn bind(
        mut self,
        queue: impl Into<String>,
        exchange: impl Into<String>,
        routing_key: impl Into<String>,
    ) -> Self {
        self.bindings.push(Binding { queue: queue.into(), exchange: exchange.into(), routing_key: routing_key.into() });
        self
    }
}
