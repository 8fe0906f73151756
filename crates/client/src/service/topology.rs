//! What a service has in the broker: exchanges, queues, bindings. Declared by `service_builder` (the delays, when they are first
//! needed, by `forward`), compared with what is there by the doctor.

use zc_events_protocol::names;
use zc_events_transport::{ExchangeKind, Topology};

use crate::Settings;

/// What every service has.
pub(crate) fn of_events(settings: &Settings, service: &str) -> Topology {
    let queue = names::events_queue(service);
    Topology::new()
        .exchange(&settings.events_exchange, ExchangeKind::Fanout)
        .queue_with_priority(&queue, settings.queue_max_priority)
        .quarantine_queue(names::quarantine_queue(service))
        .dead_queue(names::dead_letter_queue(service))
        .bind(queue, &settings.events_exchange, "")
}

/// What one that listens to notifications has beside that.
pub(crate) fn with_notifications(topology: Topology, settings: &Settings, service: &str) -> Topology {
    let (queue, exchange) = (names::notifications_queue(service), &settings.notifications_exchange);
    topology
        .exchange(exchange, ExchangeKind::Topic)
        // Without priorities, as Python declares it: whichever comes second is refused where they differ.
        .queue_with_priority(&queue, None)
        .bind(queue, exchange, names::NOTIFICATION_WILDCARD)
}
