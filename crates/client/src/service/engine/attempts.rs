//! The attempts that a message has behind it: read from, and written into, the headers that it carries between the queues
//! of its service.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zc_events_protocol::{HeaderValue, Headers, Properties};

use super::message::InboundMessage;

/// Which attempt this is, from 1.
const ATTEMPT: &str = "x-zc-attempt";
/// Not to be handled before, in milliseconds since 1970.
const DUE: &str = "x-zc-due";
/// Where it was published at first.
const EXCHANGE: &str = "x-zc-exchange";
const ROUTING_KEY: &str = "x-zc-routing-key";
/// A quorum queue's count of how often it was delivered and came back.
const DELIVERY_COUNT: &str = "x-delivery-count";
/// What the broker notes when a message leaves a delay queue.
const DEATH_NOTES: [&str; 3] = ["x-death", "x-first-death-", "x-last-death-"];
/// More than any policy asks for.
const MOST: i64 = 1_000_000;

/// The past of a message.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attempts {
    /// The attempt that its handling would be.
    pub(super) attempt: u32,
    /// The earliest time for it.
    pub(super) due: Option<SystemTime>,
    exchange: String,
    routing_key: String,
}

impl Attempts {
    /// Of a message.
    pub(super) fn of(message: &InboundMessage) -> Self {
        let headers = message.properties().headers.as_ref();
        let number = |name| headers.and_then(|headers| headers.get(name)).and_then(HeaderValue::as_int);
        // Only what came through a queue of the service itself has been elsewhere before.
        let origin = |name, own: &str| {
            let before = headers.and_then(|headers| headers.get(name)).and_then(HeaderValue::as_str);
            before.filter(|_| message.exchange.is_empty()).unwrap_or(own).to_owned()
        };
        let attempt = number(ATTEMPT).unwrap_or(1).clamp(1, MOST);
        Self {
            attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
            due: number(DUE)
                .and_then(|millis| u64::try_from(millis).ok())
                .and_then(|millis| UNIX_EPOCH.checked_add(Duration::from_millis(millis))),
            exchange: origin(EXCHANGE, &message.exchange),
            routing_key: origin(ROUTING_KEY, &message.routing_key),
        }
    }

    /// The routing key with which it was published at first.
    pub(super) fn routing_key(&self) -> &str {
        &self.routing_key
    }

    /// That of the next attempt.
    pub(super) fn next(&self) -> Self {
        Self { attempt: self.attempt.saturating_add(1), due: None, ..self.clone() }
    }

    /// The properties of a copy that goes on to another queue of the service.
    pub(super) fn properties(&self, message: &InboundMessage) -> Properties {
        let mut properties = Properties {
            delivery_mode: Some(2),
            // It would end the copy, too; and a foreign user is refused by the broker.
            expiration: None,
            user_id: None,
            ..message.properties().clone()
        };
        let headers = properties.headers.get_or_insert_default();
        headers.remove(DUE);
        // The broker's notes on the way so far: they would grow with each attempt, and a
        // count of another queue's would be taken for that of the next.
        headers.retain(|name, _| name != DELIVERY_COUNT && !DEATH_NOTES.iter().any(|note| name.starts_with(note)));
        self.write(headers);
        properties
    }

    fn write(&self, headers: &mut Headers) {
        headers.insert(ATTEMPT.into(), HeaderValue::Int(self.attempt.into()));
        headers.insert(EXCHANGE.into(), self.exchange.as_str().into());
        headers.insert(ROUTING_KEY.into(), self.routing_key.as_str().into());
        if let Some(millis) = self.due.and_then(|due| due.duration_since(UNIX_EPOCH).ok()) {
            headers.insert(DUE.into(), HeaderValue::Int(i64::try_from(millis.as_millis()).unwrap_or(i64::MAX)));
        }
    }
}
