//! The names of exchanges, queues and event types in a fleet.

use std::time::Duration;

use crate::EncodeError;
use crate::snake_case::snake_case;

/// The default events exchange (fanout) in production.
pub const DEFAULT_EVENTS_EXCHANGE: &str = "microservice-events";
/// The default notifications exchange (topic) in production.
pub const DEFAULT_NOTIFICATIONS_EXCHANGE: &str = "microservice-notifications";
/// The task that carries events, requests and calls.
pub const EVENT_TASK: &str = "microservice.event";
/// The task that carries notifications.
pub const NOTIFICATION_TASK: &str = "microservice.notification";
/// The literal routing key with which Celery's router publishes notifications.
pub const NOTIFICATION_WILDCARD: &str = "microservice.notification.*";
/// The limit of AMQP names in bytes. Longer names would be cut silently, and kill the connection.
pub const MAX_NAME: usize = 255;

/// The events exchange of a stage.
///
/// ```
/// use zc_events_protocol::names::events_exchange;
/// assert_eq!(events_exchange("production"), "microservice-events");
/// assert_eq!(events_exchange("beta"), "microservice-events-beta");
/// ```
#[must_use]
pub fn events_exchange(staging_name: &str) -> String {
    staged(DEFAULT_EVENTS_EXCHANGE, staging_name)
}

/// The notifications exchange of a stage, as [`events_exchange`].
#[must_use]
pub fn notifications_exchange(staging_name: &str) -> String {
    staged(DEFAULT_NOTIFICATIONS_EXCHANGE, staging_name)
}

fn staged(name: &str, staging_name: &str) -> String {
    if staging_name == "production" { name.to_owned() } else { format!("{name}-{staging_name}") }
}

/// The queue with a service's copy of every event.
#[must_use]
pub fn events_queue(service: &str) -> String {
    format!("{service}-events")
}

/// The queue of a service's dead letters. Only this project has it, not Python.
#[must_use]
pub fn dead_letter_queue(service: &str) -> String {
    format!("{service}-events.dead")
}

/// The quarantine queue: messages whose worker died while it handled them. The service handles them one by one, so that
/// a message that kills its worker harms no other message. Only this project has it.
#[must_use]
pub fn quarantine_queue(service: &str) -> String {
    format!("{service}-events.quarantine")
}

/// The queue in which messages of a service wait for `delay` before they return to [`events_queue`]. Only this project
/// has it.
///
/// ```
/// use std::time::Duration;
/// use zc_events_protocol::names::retry_queue;
/// assert_eq!(retry_queue("orders", Duration::from_secs(5)), "orders-events.retry.5s");
/// assert_eq!(retry_queue("orders", Duration::from_secs(900)), "orders-events.retry.15m");
/// ```
#[must_use]
pub fn retry_queue(service: &str, delay: Duration) -> String {
    delayed(&events_queue(service), delay)
}

/// The queue of a service that handles notifications.
#[must_use]
pub fn notifications_queue(service: &str) -> String {
    format!("{service}-notifications")
}

/// The queue in which notifications wait for `delay` before they return to [`notifications_queue`]. Only this project
/// has it.
///
/// ```
/// use std::time::Duration;
/// use zc_events_protocol::names::notifications_retry_queue;
/// assert_eq!(notifications_retry_queue("mails", Duration::from_secs(60)), "mails-notifications.retry.1m");
/// ```
#[must_use]
pub fn notifications_retry_queue(service: &str, delay: Duration) -> String {
    delayed(&notifications_queue(service), delay)
}

fn delayed(queue: &str, delay: Duration) -> String {
    let seconds = delay.as_secs();
    let label = match seconds {
        hours if hours > 0 && hours % 3600 == 0 => format!("{}h", hours / 3600),
        minutes if minutes > 0 && minutes % 60 == 0 => format!("{}m", minutes / 60),
        seconds => format!("{seconds}s"),
    };
    format!("{queue}.retry.{label}")
}

/// Checks that `name` can be the name of a queue or an exchange, or a routing key.
///
/// # Errors
/// [`EncodeError::BadName`] if it is empty or contains a NUL byte, [`EncodeError::TooLarge`] if it is longer than
/// [`MAX_NAME`] bytes.
pub fn check_name(what: &'static str, name: &str) -> Result<(), EncodeError> {
    if name.is_empty() {
        return Err(EncodeError::BadName { what, why: "is empty" });
    }
    if name.contains('\0') {
        return Err(EncodeError::BadName { what, why: "contains a NUL byte" });
    }
    if name.len() > MAX_NAME {
        return Err(EncodeError::TooLarge { what, size: name.len(), limit: MAX_NAME });
    }
    Ok(())
}

/// The event type of a request for a resource.
///
/// ```
/// use zc_events_protocol::names::request_event_type;
/// assert_eq!(request_event_type("OrderLineItem"), "order_line_item_request");
/// ```
#[must_use]
pub fn request_event_type(resource: &str) -> String {
    format!("{}_request", snake_case(resource))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_names_are_refused() {
        assert!(check_name("queue", &"q".repeat(255)).is_ok());
        assert!(matches!(check_name("queue", &"q".repeat(256)), Err(EncodeError::TooLarge { size: 256, .. })));
        assert!(matches!(check_name("queue", ""), Err(EncodeError::BadName { .. })));
        assert!(matches!(check_name("queue", "a\0b"), Err(EncodeError::BadName { .. })));
    }
}
