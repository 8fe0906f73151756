//! Dead letters: messages that cannot be handled, kept in `<service>-events.dead` as they
//! came, with headers that say why. They are confirmed there before the original is acknowledged.

use zc_events_protocol::{HeaderValue, Properties, names};
use zc_events_transport::{Delivery, Outgoing};

use super::Shared;
use crate::Result;

/// A text in a header, in bytes at the most.
const LONGEST_DETAIL: usize = 500;

/// Why a message is dead.
pub(super) struct Cause<'a> {
    /// A short word that stays the same: `not_a_number`, `failed`, ..
    pub(super) reason: &'a str,
    /// For people.
    pub(super) detail: String,
}

/// Keeps a message among the dead letters.
pub(super) fn bury(shared: &Shared, delivery: &Delivery, cause: &Cause<'_>) -> Result<()> {
    let inner = shared.client.inner();
    let deadline = inner.deadline(inner.settings.publish_timeout);
    let properties = properties(shared, delivery, cause);
    let letter = Outgoing {
        exchange: "",
        routing_key: &names::dead_letter_queue(&shared.service),
        mandatory: true,
        properties: &properties,
        body: &delivery.body,
    };
    inner.broker.send(&letter, deadline)?.wait(deadline)?;
    Ok(())
}

fn properties(shared: &Shared, delivery: &Delivery, cause: &Cause<'_>) -> Properties {
    let mut properties = Properties {
        delivery_mode: Some(2),
        // It would drop the letter, too; and a foreign user is refused by the broker.
        expiration: None,
        user_id: None,
        ..delivery.properties.clone()
    };
    let now = shared.client.inner().clock().wall();
    let seconds = now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let headers = properties.headers.get_or_insert_default();
    headers.insert("x-zc-reason".into(), cause.reason.into());
    headers.insert("x-zc-detail".into(), clip(&cause.detail).into());
    headers.insert("x-zc-exchange".into(), delivery.exchange.as_str().into());
    headers.insert("x-zc-routing-key".into(), delivery.routing_key.as_str().into());
    headers.insert("x-zc-attempts".into(), HeaderValue::Int(if delivery.redelivered { 2 } else { 1 }));
    headers.insert("x-zc-time".into(), HeaderValue::Timestamp(seconds));
    properties
}

fn clip(text: &str) -> &str {
    let end = (0..=text.len().min(LONGEST_DETAIL)).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}
