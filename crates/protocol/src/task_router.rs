//! Where Celery's router publishes a task.

use crate::names::NOTIFICATION_WILDCARD;

/// The names that the task router needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterNames {
    /// The fanout exchange.
    pub events_exchange: String,
    /// The topic exchange.
    pub notifications_exchange: String,
    /// The queue of all other tasks.
    pub default_queue: String,
}

/// The type of the exchange for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RouteKind {
    /// Every bound queue gets the message.
    Fanout,
    /// Queues are bound by patterns of words.
    Topic,
    /// Queues are bound by the exact routing key.
    Direct,
}

impl RouteKind {
    /// The name in AMQP.
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
pub struct TaskRoute {
    /// The exchange.
    pub exchange: String,
    /// The type of the exchange.
    pub kind: RouteKind,
    /// The routing key.
    pub routing_key: String,
}

/// Where a task is published, by the beginning of its name, as in `zc_events.routers.TaskRouter`.
#[must_use]
pub fn route_for_task(task: &str, names: &RouterNames) -> TaskRoute {
    // Python matches the pattern `^microservice.event`, where the dot is any character but a newline.
    let rest = task.strip_prefix("microservice").map(|rest| {
        let mut chars = rest.chars();
        if matches!(chars.next(), None | Some('\n')) { "" } else { chars.as_str() }
    });
    match rest {
        Some(rest) if rest.starts_with("event") => {
            TaskRoute { exchange: names.events_exchange.clone(), kind: RouteKind::Fanout, routing_key: String::new() }
        }
        Some(rest) if rest.starts_with("notification") => TaskRoute {
            exchange: names.notifications_exchange.clone(),
            kind: RouteKind::Topic,
            routing_key: NOTIFICATION_WILDCARD.to_owned(),
        },
        _ => TaskRoute {
            exchange: "default".to_owned(),
            kind: RouteKind::Direct,
            routing_key: names.default_queue.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_go_where_the_python_router_sends_them() {
        let names = RouterNames {
            events_exchange: "e".to_owned(),
            notifications_exchange: "n".to_owned(),
            default_queue: "q".to_owned(),
        };
        let routed = |task| {
            let route = route_for_task(task, &names);
            (route.exchange, route.kind, route.routing_key)
        };
        let fanout = ("e".to_owned(), RouteKind::Fanout, String::new());
        assert_eq!(routed("microservice.event"), fanout);
        assert_eq!(routed("microservice.events.more"), fanout);
        assert_eq!(routed("microservice_event"), fanout);
        let topic = ("n".to_owned(), RouteKind::Topic, "microservice.notification.*".to_owned());
        assert_eq!(routed("microservice.notification"), topic);
        let direct = ("default".to_owned(), RouteKind::Direct, "q".to_owned());
        for task in ["some.other.task", "microservice", "microserviceevent", "microservice\nevent", ""] {
            assert_eq!(routed(task), direct, "{task:?}");
        }
    }
}
