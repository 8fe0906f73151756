//! Dead letters, read from their queue by a plain AMQP client.

use std::error::Error;

use amiquip::AmqpValue;

use super::AmqpClient;

/// A dead letter.
#[derive(Debug)]
pub(super) struct DeadLetter {
    /// The `n` of its event.
    pub(super) id: Option<u64>,
    /// Why it is there.
    pub(super) reason: String,
    /// How many attempts there were.
    pub(super) attempts: i64,
    /// Whether it says where its event was published.
    pub(super) has_origin: bool,
}

/// Takes all dead letters out of a queue.
pub(super) fn take_dead_letters(plain: &AmqpClient, queue: &str) -> Result<Vec<DeadLetter>, Box<dyn Error>> {
    Ok(plain.take_all(queue)?.iter().map(read).collect())
}

fn read(delivery: &amiquip::Delivery) -> DeadLetter {
    let headers = delivery.properties.headers().as_ref();
    let header = |name: &str| headers.and_then(|headers| headers.get(name));
    DeadLetter {
        id: event_number(&delivery.body),
        reason: match header("x-zc-reason") {
            Some(AmqpValue::LongString(text)) => text.clone(),
            other => format!("no text: {other:?}"),
        },
        attempts: match header("x-zc-attempts") {
            Some(AmqpValue::LongLongInt(number)) => *number,
            Some(AmqpValue::LongInt(number)) => i64::from(*number),
            _ => -1,
        },
        has_origin: matches!(header("x-zc-exchange"), Some(AmqpValue::LongString(text)) if !text.is_empty()),
    }
}

/// The `n` among the arguments of an event, from the body of its message.
pub(super) fn event_number(body: &[u8]) -> Option<u64> {
    serde_json::from_slice::<serde_json::Value>(body).ok()?.get("kwargs")?.get("n")?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_an_event() {
        assert_eq!(event_number(br#"{"args": ["count"], "kwargs": {"n": 7}}"#), Some(7));
        assert_eq!(event_number(b"{}"), None);
        assert_eq!(event_number(b"no JSON"), None);
    }
}
