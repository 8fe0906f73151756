//! What exchanges, queues and event types are called in a fleet, and which way a task goes.

use std::time::Duration;

use crate::EncodeError;

/// The events exchange (fanout) of a fleet that runs in production and names no other.
pub const DEFAULT_EVENTS_EXCHANGE: &str = "microservice-events";
/// The notifications exchange (topic) of a fleet that runs in production and names no other.
pub const DEFAULT_NOTIFICATIONS_EXCHANGE: &str = "microservice-notifications";
/// The task that carries events, requests and calls.
pub const EVENT_TASK: &str = "microservice.event";
/// The task that carries notifications.
pub const NOTIFICATION_TASK: &str = "microservice.notification";
/// The routing key with which Celery's router publishes notifications, literally.
pub const NOTIFICATION_WILDCARD: &str = "microservice.notification.*";
/// Bytes that AMQP has for a name. Longer ones would be cut silently, and kill the connection.
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

/// The queue in which a service gets its copy of every event.
#[must_use]
pub fn events_queue(service: &str) -> String {
    format!("{service}-events")
}

/// The queue of the messages that a service could not handle. Of this project; Python has none.
#[must_use]
pub fn dead_letter_queue(service: &str) -> String {
    format!("{service}-events.dead")
}

/// The queue of the messages that were delivered to a service before, by a worker that has vanished without a verdict.
/// They are handled one by one, so that one that kills its worker takes no other with it. Of this project.
#[must_use]
pub fn quarantine_queue(service: &str) -> String {
    format!("{service}-events.quarantine")
}

/// The queue in which a service's messages wait for so long, to come back to [`events_queue`]. Of this project.
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

/// The queue in which a service gets the notifications, where it listens to them.
#[must_use]
pub fn notifications_queue(service: &str) -> String {
    format!("{service}-notifications")
}

/// The queue in which a service's notifications wait for so long, to come back to [`notifications_queue`]. Of this
/// project.
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

/// Whether `name` can be the name of a queue, an exchange or a routing key.
///
/// # Errors
/// [`EncodeError::BadName`] where it is empty or holds a NUL, [`EncodeError::TooLarge`] where it is longer
/// than [`MAX_NAME`] bytes.
pub fn check_name(what: &'static str, name: &str) -> Result<(), EncodeError> {
    if name.is_empty() {
        return Err(EncodeError::BadName { what, why: "is empty" });
    }
    if name.contains('\0') {
        return Err(EncodeError::BadName { what, why: "holds a NUL" });
    }
    if name.len() > MAX_NAME {
        return Err(EncodeError::TooLarge { what, size: name.len(), limit: MAX_NAME });
    }
    Ok(())
}

/// The event type that asks for a resource.
///
/// ```
/// use zc_events_protocol::names::request_event_type;
/// assert_eq!(request_event_type("OrderLineItem"), "order_line_item_request");
/// ```
#[must_use]
pub fn request_event_type(resource: &str) -> String {
    underscore(resource) + "_request"
}

/// Camel case to underscores, as Python's `inflection.underscore` has it.
///
/// ```
/// use zc_events_protocol::names::underscore;
/// assert_eq!(underscore("HTMLPage2Order"), "html_page2_order");
/// ```
#[must_use]
pub fn underscore(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len() + 4);
    for (i, &c) in chars.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| chars[i]);
        let breaks = c.is_ascii_uppercase()
            && before.is_some_and(|before| {
                // The end of a word; or of an acronym, whose last capital begins the next word.
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || before.is_ascii_uppercase() && chars.get(i + 1).is_some_and(char::is_ascii_lowercase)
            });
        if breaks {
            out.push('_');
        }
        if c == '-' {
            out.push('_');
        } else {
            out.extend(c.to_lowercase());
        }
    }
    out
}

/// The names that a router needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterNames {
    /// The fanout exchange.
    pub events_exchange: String,
    /// The topic exchange.
    pub notifications_exchange: String,
    /// The queue of all other tasks.
    pub default_queue: String,
}

/// How an exchange that a task goes to is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RouteKind {
    /// To every queue that is bound.
    Fanout,
    /// By patterns of words.
    Topic,
    /// By the exact key.
    Direct,
}

impl RouteKind {
    /// The name that AMQP has for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RouteKind::Fanout => "fanout",
            RouteKind::Topic => "topic",
            RouteKind::Direct => "direct",
        }
    }
}

/// Where a task is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The exchange.
    pub exchange: String,
    /// How it is declared.
    pub kind: RouteKind,
    /// The routing key.
    pub routing_key: String,
}

/// The way of a task, as `zc_events.routers.TaskRouter` has it: decided by how its name begins.
#[must_use]
pub fn route_for_task(task: &str, names: &RouterNames) -> Route {
    // The original matches the pattern `^microservice.event`, whose dot is any character.
    let rest = task.strip_prefix("microservice").map(|rest| {
        let mut chars = rest.chars();
        if matches!(chars.next(), None | Some('\n')) { "" } else { chars.as_str() }
    });
    match rest {
        Some(rest) if rest.starts_with("event") => {
            Route { exchange: names.events_exchange.clone(), kind: RouteKind::Fanout, routing_key: String::new() }
        }
        Some(rest) if rest.starts_with("notification") => Route {
            exchange: names.notifications_exchange.clone(),
            kind: RouteKind::Topic,
            routing_key: NOTIFICATION_WILDCARD.to_owned(),
        },
        _ => {
            Route { exchange: "default".to_owned(), kind: RouteKind::Direct, routing_key: names.default_queue.clone() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn underscore_is_inflections() {
        // What inflection 0.5.1 answers.
        for (name, wanted) in [
            ("Order", "order"),
            ("OrderLineItem", "order_line_item"),
            ("HTMLPage", "html_page"),
            ("DeviceType", "device_type"),
            ("IOError", "io_error"),
            ("ABC", "abc"),
            ("aB1C", "a_b1_c"),
            ("order-item", "order_item"),
            ("Order_Item", "order_item"),
            ("A", "a"),
            ("", ""),
            ("ABc", "a_bc"),
            ("Été", "été"),
        ] {
            assert_eq!(underscore(name), wanted, "{name}");
        }
    }

    #[test]
    fn tasks_go_where_the_python_router_sends_them() {
        let names = RouterNames {
            events_exchange: "e".to_owned(),
            notifications_exchange: "n".to_owned(),
            default_queue: "q".to_owned(),
        };
        let way = |task| {
            let route = route_for_task(task, &names);
            (route.exchange, route.kind, route.routing_key)
        };
        let fanout = ("e".to_owned(), RouteKind::Fanout, String::new());
        assert_eq!(way("microservice.event"), fanout);
        assert_eq!(way("microservice.events.more"), fanout);
        assert_eq!(way("microservice_event"), fanout);
        let topic = ("n".to_owned(), RouteKind::Topic, "microservice.notification.*".to_owned());
        assert_eq!(way("microservice.notification"), topic);
        let direct = ("default".to_owned(), RouteKind::Direct, "q".to_owned());
        for task in ["some.other.task", "microservice", "microserviceevent", "microservice\nevent", ""] {
            assert_eq!(way(task), direct, "{task:?}");
        }
    }

    #[test]
    fn names_that_would_be_cut_are_refused() {
        assert!(check_name("queue", &"q".repeat(255)).is_ok());
        assert!(matches!(check_name("queue", &"q".repeat(256)), Err(EncodeError::TooLarge { size: 256, .. })));
        assert!(matches!(check_name("queue", ""), Err(EncodeError::BadName { .. })));
        assert!(matches!(check_name("queue", "a\0b"), Err(EncodeError::BadName { .. })));
    }
}
