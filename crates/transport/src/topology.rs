//! Exchanges, queues and bindings to declare. The layers above know which ones a service needs; the implementations
//! declare them.

use std::time::Duration;

use zc_events_protocol::{HeaderValue, Headers};

/// How an exchange routes messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExchangeKind {
    /// To every queue that is bound.
    Fanout,
    /// To the queues whose binding key matches the routing key, with `*` for one word and `#` for any number of words.
    Topic,
    /// To the queues whose binding key is the routing key.
    Direct,
}

impl ExchangeKind {
    /// AMQP's name for it.
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
    /// The name, at most 255 bytes.
    pub name: String,
    /// How it routes.
    pub kind: ExchangeKind,
    /// Whether it is deleted with the last queue that is bound to it, and by a restart of the broker. All exchanges of
    /// a fleet are durable instead.
    pub temporary: bool,
}

/// A queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    /// The name, at most 255 bytes.
    pub name: String,
    /// Whether it survives a restart of the broker. All queues of services do.
    pub durable: bool,
    /// Whether it belongs to its connection and is deleted with it.
    pub exclusive: bool,
    /// Its arguments, such as `x-max-priority`, a signed integer.
    pub arguments: Headers,
    /// The arguments to declare it with if the broker refuses `arguments`, because it has no quorum queues, say. An
    /// existing queue with these arguments does not differ.
    pub fallback: Option<Headers>,
}

impl Queue {
    /// A durable queue without arguments.
    #[must_use]
    pub fn durable(name: impl Into<String>) -> Self {
        Self { name: name.into(), durable: true, exclusive: false, arguments: Headers::new(), fallback: None }
    }

    /// A queue that belongs to its connection and is deleted with it, for watching. It holds at most
    /// [10,000](Queue::TEMPORARY_LENGTH) messages and 64 MiB and then drops the oldest, so a forgotten terminal does
    /// not fill the broker.
    #[must_use]
    pub fn temporary(name: impl Into<String>) -> Self {
        let limits = [("x-max-length", Self::TEMPORARY_LENGTH), ("x-max-length-bytes", 64 << 20)];
        let arguments = limits.map(|(name, limit)| (name.to_owned(), i64::from(limit).into()));
        Self { durable: false, exclusive: true, arguments: arguments.into(), ..Self::durable(name) }
    }

    /// How many messages a [temporary](Queue::temporary) queue holds, without those that its consumer has prefetched.
    pub const TEMPORARY_LENGTH: u32 = 10_000;

    /// Sets its arguments.
    #[must_use]
    pub fn arguments(mut self, arguments: Headers) -> Self {
        self.arguments = arguments;
        self
    }

    /// A quorum queue with `more` arguments. If the broker has no quorum queues, it is a classic queue with those
    /// arguments that a classic queue knows.
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
    /// The binding key. A fanout exchange ignores it.
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
    /// The exchanges, declared first.
    pub exchanges: Vec<Exchange>,
    /// The queues, declared second.
    pub queues: Vec<Queue>,
    /// The bindings, declared last.
    pub bindings: Vec<Binding>,
    /// Whether an existing queue with other arguments is an error. Otherwise it is used as it is, and the difference is
    /// logged.
    pub strict: bool,
}

impl Topology {
    /// An empty topology.
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

    /// Adds a durable queue, with `x-max-priority` if a maximum is given.
    #[must_use]
    pub fn queue_with_priority(self, name: impl Into<String>, max_priority: Option<u8>) -> Self {
        let arguments =
            max_priority.map(|max| ("x-max-priority".to_owned(), i64::from(max).into())).into_iter().collect();
        self.queue(Queue::durable(name).arguments(arguments))
    }

    /// Adds a durable queue without consumers. A message that is published to it moves to the queue `target` after
    /// `delay` (in whole milliseconds, below 2^32), through the default exchange.
    ///
    /// It is a quorum queue with `x-dead-letter-strategy: at-least-once`. A message whose target is full or missing
    /// stays in it, and moves once the target accepts it. RabbitMQ checks again after 3 minutes by default
    /// (`dead_letter_worker_publisher_confirm_timeout` of its application `rabbit`, in milliseconds). This needs
    /// RabbitMQ 3.10 with the feature flags `quorum_queue` and `stream_queue` (without the second one RabbitMQ logs a
    /// warning and dead-letters at most once), and `x-overflow: reject-publish`, which is set: without it RabbitMQ
    /// ignores the strategy.
    ///
    /// If the broker has no quorum queues, it is a classic queue, which loses a message whose target is full or missing
    /// at that moment.
    ///
    /// A message waits for the messages before it, so use one queue for each delay, and no `expiration`.
    #[must_use]
    pub fn retry_queue(self, name: impl Into<String>, delay: Duration, target: impl Into<String>) -> Self {
        let milliseconds = u32::try_from(delay.as_millis()).unwrap_or(u32::MAX);
        // No `x-delivery-limit`, although RabbitMQ has a default since 4.0: it counts deliveries to consumers, and this
        // queue has none. A message that the target does not accept is not counted; it is kept and sent again.
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

    /// Adds a durable queue for messages that may have ended the process that handled them. It is a classic queue, even
    /// if the virtual host's default is another type: by RabbitMQ's default since 4.0, a quorum queue drops a message
    /// that was requeued 20 times, and a message in this queue is requeued whenever a process ends.
    ///
    /// The consumer must count how often a message was delivered. A classic queue reports only
    /// [`Delivery::redelivered`](crate::Delivery::redelivered), and reports it for all messages that a consumer had
    /// prefetched when it ended, so consume it with a prefetch of 1.
    #[must_use]
    pub fn quarantine_queue(self, name: impl Into<String>) -> Self {
        let arguments = Headers::from([("x-queue-type".to_owned(), "classic".into())]);
        // A queue that was declared without its type is the same.
        self.queue(Queue { fallback: Some(Headers::new()), ..Queue::durable(name).arguments(arguments) })
    }

    /// Adds a durable queue for dead letters: a quorum queue, or a classic queue if the broker has no quorum queues.
    /// Its messages do not expire. They stay however often they are read and requeued: `x-delivery-limit` is 2^31 - 1,
    /// since RabbitMQ's default is 20 since 4.0 (and older versions refuse -1, which means "no limit" since 4.0).
    #[must_use]
    pub fn dead_queue(self, name: impl Into<String>) -> Self {
        self.queue(Queue::quorum(name, [("x-delivery-limit", i64::from(i32::MAX).into())]))
    }

    /// Makes the broker delete all of it automatically, so that nothing is left behind even if the program is killed:
    /// exchanges with the last queue that is bound to them, and queues that were neither consumed nor declared for
    /// `after` (1 ms to 49 days). Exclusive queues are deleted with their connection. The broker in memory keeps the
    /// queues, which end with the process.
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

    /// Removes the queues and exchanges of `gone`, and their bindings. Returns whether anything is left.
    pub(crate) fn subtract(&mut self, gone: &Topology) -> bool {
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
    fn subtract_removes_queues_with_their_bindings_and_nothing_else() {
        let mut topology = Topology::new()
            .exchange("e", ExchangeKind::Fanout)
            .queue_with_priority("gone", None)
            .queue_with_priority("kept", None)
            .bind("gone", "e", "")
            .bind("kept", "e", "");
        assert!(topology.subtract(&Topology::new().queue(Queue::durable("gone"))));
        let kept = Topology::new().exchange("e", ExchangeKind::Fanout).queue_with_priority("kept", None);
        assert_eq!(topology, kept.clone().bind("kept", "e", ""));
        assert!(!topology.subtract(&kept));
    }

    /// Since 4.0, RabbitMQ drops a message from a quorum queue once it was requeued 20 times, unless the queue has
    /// another limit.
    #[test]
    fn no_consumed_queue_has_the_default_delivery_limit_of_rabbitmq_4() {
        let (quarantine, dead) = (Topology::new().quarantine_queue("q"), Topology::new().dead_queue("d"));
        let (arguments, fallback) = queue(&quarantine);
        assert_eq!(arguments.get("x-queue-type"), Some(&"classic".into()));
        assert!(arguments.len() == 1 && fallback.is_empty());
        let (arguments, fallback) = queue(&dead);
        assert_eq!(arguments.get("x-delivery-limit").and_then(HeaderValue::as_int), Some(2_147_483_647));
        assert!(fallback.is_empty(), "a classic queue refuses the limit");
    }
}
