//! What is declared: exchanges, queues and the bindings between them. Which ones a
//! service needs is known above; how they are declared, in the implementations.

use std::time::Duration;

use zc_events_protocol::{HeaderValue, Headers};

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

/// An exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// At most 255 bytes.
    pub name: String,
    /// How it routes.
    pub kind: ExchangeKind,
    /// Whether it goes with the last queue that is bound to it, and with a restart of the
    /// broker. All exchanges of a fleet are durable instead, and stay.
    pub temporary: bool,
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
    /// What it is declared with where the broker refuses `arguments`: one without quorum
    /// queues, say. A queue that exists with these counts as equal.
    pub fallback: Option<Headers>,
}

impl Queue {
    /// A durable queue without arguments.
    #[must_use]
    pub fn durable(name: impl Into<String>) -> Self {
        Self { name: name.into(), durable: true, exclusive: false, arguments: Headers::new(), fallback: None }
    }

    /// A queue that belongs to its connection and goes with it, for those who look on. Whoever takes too slowly from it
    /// misses the oldest: it holds [10,000](Queue::TEMPORARY_LENGTH) messages and 64 MiB, so that a terminal that somebody forgot does not
    /// fill the broker.
    #[must_use]
    pub fn temporary(name: impl Into<String>) -> Self {
        let limits = [("x-max-length", Self::TEMPORARY_LENGTH), ("x-max-length-bytes", 64 << 20)];
        let arguments = limits.map(|(name, limit)| (name.to_owned(), i64::from(limit).into()));
        Self { durable: false, exclusive: true, arguments: arguments.into(), ..Self::durable(name) }
    }

    /// How many messages a [temporary](Queue::temporary) queue holds, beside those that its consumer has prefetched.
    pub const TEMPORARY_LENGTH: u32 = 10_000;

    /// With these arguments.
    #[must_use]
    pub fn arguments(mut self, arguments: Headers) -> Self {
        self.arguments = arguments;
        self
    }

    /// A quorum queue, with `more` arguments; where the broker has none, a classic one with
    /// those of them that a classic queue knows.
    fn quorum<const N: usize>(name: impl Into<String>, more: [(&str, HeaderValue); N]) -> Self {
        let mut arguments: Headers = more.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let mut classic = arguments.clone();
        classic.retain(|key, _| !["x-dead-letter-strategy", "x-overflow", "x-delivery-limit"].contains(&key.as_str()));
        arguments.insert("x-queue-type".to_owned(), "quorum".into());
        Self { arguments, fallback: Some(classic), ..Self::durable(name) }
    }
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
        self.exchanges.push(Exchange { name: name.into(), kind, temporary: false });
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
        self.queue(Queue::durable(name).arguments(arguments))
    }

    /// Adds a durable queue that nobody consumes: what is published to it comes out in the
    /// queue `target` after `delay` (whole milliseconds, below 2^32 of them), through the
    /// default exchange.
    ///
    /// How soon after the target is back: RabbitMQ looks again after 3 minutes by default
    /// (`dead_letter_worker_publisher_confirm_timeout` of its application `rabbit`, in ms).
    ///
    /// It is a quorum queue with `x-dead-letter-strategy: at-least-once`, so a message whose
    /// target is full or gone stays in it, and is moved once the target takes it. That
    /// takes RabbitMQ 3.10 with its feature flags `quorum_queue` and `stream_queue` on
    /// (without the second one RabbitMQ logs a warning and dead-letters at most once), and
    /// `x-overflow: reject-publish`, which is set: without it the strategy is ignored. Where
    /// the broker has no such queues, it is a classic one, which loses a message whose
    /// target is full or gone at that moment.
    ///
    /// A message waits for those before it: use one queue per delay, and no `expiration`.
    #[must_use]
    pub fn retry_queue(self, name: impl Into<String>, delay: Duration, target: impl Into<String>) -> Self {
        let milliseconds = u32::try_from(delay.as_millis()).unwrap_or(u32::MAX);
        // No `x-delivery-limit`, though RabbitMQ has a default from 4.0 on: it counts deliveries to consumers, and here
        // are none. What the target does not take is not counted as one; it is kept, and tried again.
        self.queue(Queue::quorum(
            name,
            [
                ("x-message-ttl", i64::from(milliseconds).into()),
                ("x-dead-letter-exchange", "".into()),
                ("x-dead-letter-routing-key", target.into().into()),
                ("x-dead-letter-strategy", "at-least-once".into()),
                ("x-overflow", "reject-publish".into()),
            ],
        ))
    }

    /// Adds a durable queue for messages that may have ended the process that handled them:
    /// a classic one, even where the virtual host's default is another type. A quorum queue
    /// drops what came back 20 times, by RabbitMQ's default from 4.0 on, and what is in here
    /// comes back with each process that ends. How often is for the consumer to count: a
    /// classic queue says no more than [`Delivery::redelivered`](crate::Delivery::redelivered), and says it of all that a
    /// consumer had prefetched when it ended, so consume it with a prefetch of 1.
    #[must_use]
    pub fn quarantine_queue(self, name: impl Into<String>) -> Self {
        let arguments = Headers::from([("x-queue-type".to_owned(), "classic".into())]);
        // One that was declared without its type is the same.
        self.queue(Queue { fallback: Some(Headers::new()), ..Queue::durable(name).arguments(arguments) })
    }

    /// Adds a durable queue for dead letters: a quorum queue where the broker has them, else
    /// a classic one. Nothing in it expires, and however often somebody looks at a letter and
    /// puts it back, it stays: `x-delivery-limit` is 2^31 - 1, since from 4.0 on RabbitMQ's default is 20
    /// (and since what says "none" there, -1, is refused before).
    #[must_use]
    pub fn dead_queue(self, name: impl Into<String>) -> Self {
        self.queue(Queue::quorum(name, [("x-delivery-limit", i64::from(i32::MAX).into())]))
    }

    /// Makes all of it go by itself, for whoever wants nothing to stay behind even when he is
    /// killed: the exchanges with the last queue that is bound to them, the queues once they
    /// were neither consumed nor declared for so long (1 ms to 49 days; exclusive ones go with
    /// their connection). The broker in memory keeps the queues; it goes with the process.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zc_events_transport::{ExchangeKind, Topology};
    /// let topology = Topology::new()
    ///     .exchange("try", ExchangeKind::Fanout)
    ///     .dead_queue("try-events.dead")
    ///     .temporary(Duration::from_secs(600));
    /// assert!(topology.exchanges[0].temporary);
    /// assert_eq!(topology.queues[0].arguments["x-expires"], 600_000.into());
    /// ```
    #[must_use]
    pub fn temporary(mut self, after: Duration) -> Self {
        let milliseconds = u32::try_from(after.as_millis()).unwrap_or(u32::MAX).max(1);
        self.exchanges.iter_mut().for_each(|exchange| exchange.temporary = true);
        for queue in self.queues.iter_mut().filter(|queue| !queue.exclusive) {
            for arguments in std::iter::once(&mut queue.arguments).chain(&mut queue.fallback) {
                arguments.insert("x-expires".to_owned(), i64::from(milliseconds).into());
            }
        }
        self
    }

    /// Takes out what stands in `gone`, and bindings of it. Says whether something is left.
    pub(crate) fn lose(&mut self, gone: &Topology) -> bool {
        let is_exchange = |name: &str| gone.exchanges.iter().any(|gone| gone.name == name);
        let is_queue = |name: &str| gone.queues.iter().any(|gone| gone.name == name);
        self.exchanges.retain(|it| !is_exchange(&it.name));
        self.queues.retain(|it| !is_queue(&it.name));
        self.bindings.retain(|it| !is_queue(&it.queue) && !is_exchange(&it.exchange));
        !(self.exchanges.is_empty() && self.queues.is_empty() && self.bindings.is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(topology: &Topology) -> (&Headers, &Headers) {
        (&topology.queues[0].arguments, topology.queues[0].fallback.as_ref().unwrap())
    }

    #[test]
    fn what_is_gone_is_lost_with_its_bindings_and_nothing_else_is() {
        let mut topology = Topology::new()
            .exchange("e", ExchangeKind::Fanout)
            .queue_with_priority("gone", None)
            .queue_with_priority("kept", None)
            .bind("gone", "e", "")
            .bind("kept", "e", "");
        assert!(topology.lose(&Topology::new().queue(Queue::durable("gone"))));
        let kept = Topology::new().exchange("e", ExchangeKind::Fanout).queue_with_priority("kept", None);
        assert_eq!(topology, kept.clone().bind("kept", "e", ""));
        assert!(!topology.lose(&kept));
    }

    /// From 4.0 on, RabbitMQ drops from a quorum queue what came back 20 times, unless it is told otherwise.
    #[test]
    fn no_queue_that_is_consumed_has_the_brokers_default_limit_of_deliveries() {
        let (quarantine, dead) = (Topology::new().quarantine_queue("q"), Topology::new().dead_queue("d"));
        let (arguments, fallback) = queue(&quarantine);
        assert_eq!(arguments.get("x-queue-type"), Some(&"classic".into()));
        assert!(arguments.len() == 1 && fallback.is_empty());
        let (arguments, fallback) = queue(&dead);
        assert_eq!(arguments.get("x-delivery-limit").and_then(HeaderValue::as_int), Some(2_147_483_647));
        assert!(fallback.is_empty(), "a classic queue refuses the limit");
    }
}
