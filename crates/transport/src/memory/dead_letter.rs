//! Dead letters: the headers that RabbitMQ writes when a message leaves a queue for its dead letter exchange, and how
//! it recognises a dead-letter cycle.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use zc_events_protocol::{HeaderValue, Headers};

use super::arguments::DeadLetterTarget;
use super::message::MessageContent;

/// A dead letter that has not reached all of its targets yet.
#[derive(Debug)]
pub(super) struct HeldLetter {
    pub(super) content: Arc<MessageContent>,
    pub(super) reason: DeathReason,
    /// The queues that have accepted it.
    pub(super) reached: Vec<Arc<str>>,
}

/// Why a message was dead-lettered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeathReason {
    Rejected,
    Expired,
    MaxLength,
    /// It was requeued more often than `x-delivery-limit` allows.
    DeliveryLimit,
}

impl DeathReason {
    fn as_str(self) -> &'static str {
        match self {
            DeathReason::Rejected => "rejected",
            DeathReason::Expired => "expired",
            DeathReason::MaxLength => "maxlen",
            DeathReason::DeliveryLimit => "delivery_limit",
        }
    }
}

/// The message that goes to the dead letter exchange: `x-death` has one more entry or a higher count, and the
/// expiration has moved into it.
pub(super) fn dead_letter(
    dead: &MessageContent,
    queue: &str,
    to: &DeadLetterTarget,
    reason: DeathReason,
    wall: SystemTime,
) -> MessageContent {
    let mut properties = dead.properties.clone();
    let mut headers = properties.headers.take().unwrap_or_default();
    let mut deaths = match headers.remove("x-death") {
        Some(HeaderValue::List(deaths)) => deaths,
        _ => Vec::new(),
    };
    let known = deaths.iter().position(|death| is(death, "queue", queue) && is(death, "reason", reason.as_str()));
    let mut entry = match known.map(|at| deaths.remove(at)) {
        Some(HeaderValue::Table(entry)) => entry,
        _ => Headers::from([
            ("queue".to_owned(), queue.into()),
            ("reason".to_owned(), reason.as_str().into()),
            ("exchange".to_owned(), dead.exchange.as_str().into()),
            ("routing-keys".to_owned(), HeaderValue::List(vec![dead.routing_key.as_str().into()])),
            ("time".to_owned(), HeaderValue::Timestamp(seconds(wall))),
        ]),
    };
    let count = entry.get("count").and_then(HeaderValue::as_int).unwrap_or(0).saturating_add(1);
    entry.insert("count".to_owned(), count.into());
    if let Some(expiration) = properties.expiration.take() {
        entry.insert("original-expiration".to_owned(), expiration.into());
    }
    deaths.insert(0, HeaderValue::Table(entry));
    headers.insert("x-death".to_owned(), HeaderValue::List(deaths));
    for (key, value) in [("reason", reason.as_str()), ("queue", queue), ("exchange", &dead.exchange)] {
        headers.entry(format!("x-first-death-{key}")).or_insert_with(|| value.into());
    }
    properties.headers = Some(headers);
    MessageContent {
        exchange: to.exchange.clone(),
        routing_key: to.routing_key.clone().unwrap_or_else(|| dead.routing_key.clone()),
        properties,
        body: dead.body.clone(),
    }
}

/// Whether a dead letter was in that queue before and since then was only dead-lettered automatically, never rejected.
/// It would cycle for ever.
pub(super) fn is_cycle(letter: &MessageContent, queue: &str) -> bool {
    let Some(HeaderValue::List(deaths)) = letter.properties.headers.as_ref().and_then(|headers| headers.get("x-death"))
    else {
        return false;
    };
    match deaths.iter().position(|death| is(death, "queue", queue)) {
        Some(last) => !deaths.iter().take(last + 1).any(|death| is(death, "reason", DeathReason::Rejected.as_str())),
        None => false,
    }
}

fn is(death: &HeaderValue, key: &str, expected: &str) -> bool {
    matches!(death, HeaderValue::Table(entry) if entry.get(key).and_then(HeaderValue::as_str) == Some(expected))
}

fn seconds(wall: SystemTime) -> u64 {
    wall.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use zc_events_protocol::Properties;

    fn content() -> MessageContent {
        MessageContent {
            exchange: "e".into(),
            routing_key: "k".into(),
            properties: Properties { expiration: Some("5".into()), ..Properties::default() },
            body: b"body".to_vec(),
        }
    }

    #[test]
    fn x_death_lists_the_latest_death_first() {
        let to = DeadLetterTarget { exchange: "dlx".into(), routing_key: None };
        let mut dead = dead_letter(&content(), "retry", &to, DeathReason::Expired, UNIX_EPOCH);
        assert_eq!((dead.exchange.as_str(), dead.routing_key.as_str()), ("dlx", "k"));
        assert_eq!(dead.properties.expiration, None);
        for (queue, reason) in [("main", DeathReason::Rejected), ("retry", DeathReason::Expired)] {
            dead = dead_letter(&dead, queue, &to, reason, UNIX_EPOCH);
        }
        let headers = dead.properties.headers.unwrap();
        let Some(HeaderValue::List(deaths)) = headers.get("x-death") else { panic!("{headers:?}") };
        assert_eq!(deaths.len(), 2);
        let HeaderValue::Table(latest) = &deaths[0] else { panic!("{deaths:?}") };
        assert_eq!(latest["queue"], "retry".into());
        assert_eq!(latest["count"], 2.into());
        assert_eq!(latest["original-expiration"], "5".into());
        assert_eq!(headers["x-first-death-exchange"], "e".into());
        assert_eq!(headers["x-first-death-reason"], "expired".into());
    }

    #[test]
    fn only_automatic_dead_lettering_is_a_cycle() {
        let to = DeadLetterTarget { exchange: String::new(), routing_key: None };
        let once = dead_letter(&content(), "a", &to, DeathReason::Expired, UNIX_EPOCH);
        assert!(is_cycle(&once, "a"));
        assert!(!is_cycle(&once, "b"));
        let twice = dead_letter(&once, "b", &to, DeathReason::Rejected, UNIX_EPOCH);
        assert!(!is_cycle(&twice, "a"));
        let thrice = dead_letter(&twice, "a", &to, DeathReason::MaxLength, UNIX_EPOCH);
        assert!(is_cycle(&thrice, "a"));
    }
}
