//! A dead letter: the message, and why the service dead-lettered it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zc_events_protocol::{HeaderValue, Limits};
use zc_events_transport::Delivery;

use crate::Message;

/// The header with the number of replays.
pub(super) const REPLAYS: &str = "x-zc-replays";

/// A dead letter of a service, and why it was dead-lettered. `Debug` does not show its payload.
#[derive(Clone)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The reason, a word that does not change between versions, such as `failed`, `panicked`, `payload_mismatch` or `malformed`.
    pub reason: String,
    /// The details for people, usually the error of the handler.
    pub detail: String,
    /// The number of attempts.
    pub attempts: u32,
    /// When it was dead-lettered.
    pub at: Option<SystemTime>,
    /// How often it was replayed and dead-lettered again.
    pub replays: u32,
    /// The exchange that the message was published to.
    pub exchange: String,
    /// The message.
    pub message: Message,
}

impl DeadLetter {
    /// Reads a delivery from a queue of dead letters.
    #[must_use]
    pub fn read(delivery: &Delivery, limits: &Limits) -> Self {
        let header = |name: &str| delivery.properties.headers.as_ref().and_then(|headers| headers.get(name));
        let text = |name| header(name).and_then(HeaderValue::as_str).unwrap_or_default().to_owned();
        let number = |name| header(name).and_then(HeaderValue::as_int).and_then(|number| u32::try_from(number).ok());
        let at = match header("x-zc-time") {
            Some(HeaderValue::Timestamp(seconds)) => UNIX_EPOCH.checked_add(Duration::from_secs(*seconds)),
            _ => None,
        };
        Self {
            reason: text("x-zc-reason"),
            detail: text("x-zc-detail"),
            attempts: number("x-zc-attempts").unwrap_or_default(),
            at,
            replays: number(REPLAYS).unwrap_or_default(),
            exchange: text("x-zc-exchange"),
            message: Message::read(
                &delivery.exchange,
                &delivery.routing_key,
                &delivery.properties,
                &delivery.body,
                limits,
            ),
        }
    }

    /// The id of the message; if it cannot be read, the `message_id` of its properties.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.message.id().or(self.message.message_id())
    }
}

impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter")
            .field("reason", &self.reason)
            .field("attempts", &self.attempts)
            .field("replays", &self.replays)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}
