//! The `x-` arguments of a queue that this broker honours. It accepts others without effect.

use std::time::Duration;

use zc_events_protocol::{HeaderValue, Headers};

use crate::{Error, Queue, Result};

/// Where a queue sends messages that are rejected, dropped or expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeadLetterTarget {
    pub(super) exchange: String,
    /// The routing key. If `None`, the message keeps its own.
    pub(super) routing_key: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct QueueArguments {
    /// `x-max-priority`. Without it, a classic queue ignores priorities.
    pub(super) max_priority: Option<u8>,
    /// `x-message-ttl`.
    pub(super) ttl: Option<Duration>,
    /// `x-max-length`: how many messages may be ready.
    pub(super) max_length: Option<usize>,
    /// `x-overflow` is `reject-publish`: a full queue refuses new messages instead of dropping old ones.
    pub(super) refuses_when_full: bool,
    /// `x-dead-letter-exchange` and `x-dead-letter-routing-key`.
    pub(super) dead_letter: Option<DeadLetterTarget>,
    /// `x-queue-type` is `quorum`: the queue counts how often a message was requeued.
    pub(super) quorum: bool,
    /// `x-delivery-limit`: how often a message may be requeued.
    pub(super) delivery_limit: Option<u64>,
    /// `x-dead-letter-strategy` is `at-least-once` and `x-overflow` is `reject-publish` (otherwise it has no effect): a
    /// dead letter stays until its targets have accepted it.
    pub(super) at_least_once: bool,
}

impl QueueArguments {
    /// The arguments of `queue`, or its fallback's if those are refused, and their table.
    ///
    /// # Errors
    /// [`Error::Rejected`] if RabbitMQ would answer 406.
    pub(super) fn of(queue: &Queue) -> Result<(Self, &Headers)> {
        match (Self::check(queue, &queue.arguments), &queue.fallback) {
            (Err(Error::Rejected { why }), Some(fallback)) => {
                log::warn!("queue `{}` is declared with its fallback arguments: {why}", queue.name);
                Ok((Self::check(queue, fallback)?, fallback))
            }
            (arguments, _) => Ok((arguments?, &queue.arguments)),
        }
    }

    fn check(queue: &Queue, table: &Headers) -> Result<Self> {
        let arguments = Self::read(&queue.name, table)?;
        let property = match (arguments.quorum, queue.durable, queue.exclusive) {
            (true, false, _) => "non-durable",
            (true, _, true) => "exclusive-owner",
            _ => return Ok(arguments),
        };
        Err(Error::Rejected {
            why: format!(
                "PRECONDITION_FAILED - invalid property '{property}' for queue '{}': quorum queues must be durable and not exclusive",
                queue.name
            ),
        })
    }

    fn read(queue: &str, table: &Headers) -> Result<Self> {
        let refuse = |key: &str| Error::Rejected {
            why: format!(
                "PRECONDITION_FAILED - invalid arg '{key}' for queue '{queue}': see RabbitMQ's documentation for its values"
            ),
        };
        let number = |key: &str, max: i64| match table.get(key) {
            None => Ok(None),
            Some(HeaderValue::Int(number)) if (0..=max).contains(number) => Ok(Some(number.unsigned_abs())),
            Some(_) => Err(refuse(key)),
        };
        let text = |key: &str| match table.get(key) {
            None => Ok(None),
            Some(HeaderValue::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(refuse(key)),
        };
        let overflow = text("x-overflow")?;
        if !matches!(overflow.as_deref(), None | Some("drop-head" | "reject-publish" | "reject-publish-dlx")) {
            return Err(refuse("x-overflow"));
        }
        let quorum = match text("x-queue-type")?.as_deref() {
            None | Some("classic") => false,
            Some("quorum") => true,
            Some(_) => return Err(refuse("x-queue-type")),
        };
        let strategy = text("x-dead-letter-strategy")?;
        if !matches!(strategy.as_deref(), None | Some("at-most-once" | "at-least-once")) {
            return Err(refuse("x-dead-letter-strategy"));
        }
        let others: &[&str] =
            if quorum { &["x-max-priority"] } else { &["x-delivery-limit", "x-dead-letter-strategy"] };
        if let Some(key) = others.iter().find(|key| table.contains_key(**key)) {
            return Err(refuse(key));
        }
        let routing_key = text("x-dead-letter-routing-key")?;
        let dead_letter = text("x-dead-letter-exchange")?;
        if routing_key.is_some() && dead_letter.is_none() {
            return Err(refuse("x-dead-letter-routing-key"));
        }
        Ok(Self {
            max_priority: number("x-max-priority", 255)?.and_then(|max| u8::try_from(max).ok()),
            ttl: number("x-message-ttl", i64::from(u32::MAX))?.map(Duration::from_millis),
            max_length: number("x-max-length", i64::MAX)?.map(|max| usize::try_from(max).unwrap_or(usize::MAX)),
            at_least_once: strategy.as_deref() == Some("at-least-once")
                && overflow.as_deref() == Some("reject-publish"),
            refuses_when_full: overflow.is_some_and(|overflow| overflow.starts_with("reject")),
            quorum,
            delivery_limit: number("x-delivery-limit", i64::MAX)?,
            dead_letter: dead_letter.map(|exchange| DeadLetterTarget { exchange, routing_key }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<const N: usize>(entries: [(&str, HeaderValue); N]) -> Result<QueueArguments> {
        QueueArguments::read("q", &entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    #[test]
    fn classic_queue_arguments_are_read() {
        let arguments = read([
            ("x-max-priority", 10.into()),
            ("x-message-ttl", 1500.into()),
            ("x-max-length", 3.into()),
            ("x-overflow", "reject-publish".into()),
            ("x-dead-letter-exchange", "".into()),
            ("x-dead-letter-routing-key", "dead".into()),
            ("x-queue-type", "classic".into()),
        ]);
        let expected = QueueArguments {
            max_priority: Some(10),
            ttl: Some(Duration::from_millis(1500)),
            max_length: Some(3),
            refuses_when_full: true,
            dead_letter: Some(DeadLetterTarget { exchange: String::new(), routing_key: Some("dead".into()) }),
            ..QueueArguments::default()
        };
        assert_eq!(arguments.unwrap(), expected);
        assert_eq!(read([]).unwrap(), QueueArguments::default());
    }

    #[test]
    fn quorum_queue_arguments_are_read_and_refused_for_classic_queues() {
        let ours = [
            ("x-delivery-limit", HeaderValue::from(3)),
            ("x-dead-letter-strategy", "at-least-once".into()),
            ("x-overflow", "reject-publish".into()),
            ("x-queue-type", "quorum".into()),
        ];
        let arguments = read(ours.clone()).unwrap();
        assert_eq!((arguments.quorum, arguments.delivery_limit, arguments.at_least_once), (true, Some(3), true));
        let [limit, strategy, overflow, quorum] = ours;
        // Without the overflow the strategy has no effect.
        assert!(!read([strategy.clone(), quorum.clone()]).unwrap().at_least_once);
        for (key, refused) in [
            ("x-delivery-limit", read([limit])),
            ("x-dead-letter-strategy", read([strategy, overflow])),
            ("x-max-priority", read([quorum, ("x-max-priority", 10.into())])),
        ] {
            assert!(matches!(&refused, Err(Error::Rejected { why }) if why.contains(key)), "{refused:?}");
        }
    }

    #[test]
    fn invalid_arguments_are_refused() {
        for (key, value) in [
            ("x-max-priority", HeaderValue::from(256)),
            ("x-max-priority", "10".into()),
            ("x-message-ttl", (-1).into()),
            ("x-overflow", "spill".into()),
            ("x-queue-type", "stack".into()),
            ("x-dead-letter-exchange", 1.into()),
            ("x-dead-letter-routing-key", "key without exchange".into()),
        ] {
            let error = read([(key, value)]).unwrap_err();
            assert!(matches!(&error, Error::Rejected { why } if why.contains(key)), "{error}");
        }
    }
}
