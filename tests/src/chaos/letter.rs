//! Dead letters, read as people and tools would: from the queue, by a plain client.

use std::error::Error;

use amiquip::AmqpValue;

use super::Plain;

/// One.
#[derive(Debug)]
pub(super) struct Letter {
    /// The `n` of its event.
    pub(super) id: Option<u64>,
    /// Why it is there.
    pub(super) reason: String,
    /// How many attempts there were.
    pub(super) attempts: i64,
    /// Whether it says where its event was published.
    pub(super) has_origin: bool,
}

/// All that are in a queue, taken out of it.
pub(super) fn letters(plain: &Plain, queue: &str) -> Result<Vec<Letter>, Box<dyn Error>> {
    Ok(plain.take_all(queue)?.iter().map(letter).collect())
}

fn letter(delivery: &amiquip::Delivery) -> Letter {
    let headers = delivery.properties.headers().as_ref();
    let header = |name: &str| headers.and_then(|headers| headers.get(name));
    Letter {
        id: number(&delivery.body),
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

/// The `n` of an event of ours in the body of a message.
pub(super) fn number(body: &[u8]) -> Option<u64> {
    serde_json::from_slice::<serde_json::Value>(body).ok()?.get("kwargs")?.get("n")?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_an_event() {
        assert_eq!(number(br#"{"args": ["count"], "kwargs": {"n": 7}}"#), Some(7));
        assert_eq!(number(b"{}"), None);
        assert_eq!(number(b"no JSON"), None);
    }
}
