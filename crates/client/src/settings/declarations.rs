//! What a service with these settings declares in the broker.

use zc_events_protocol::names;
use zc_events_transport::{ExchangeKind, Topology};

use super::values::Settings;
use crate::service::{RETRY_DELAYS, topology};

impl Settings {
    /// All exchanges, queues and bindings that a service with these settings declares; only the exchanges if `SERVICE_NAME` is
    /// not set. A service declares the part for notifications only if it handles notifications, and a retry queue when it first
    /// needs it.
    ///
    /// ```
    /// use zc_events::Settings;
    /// let settings = Settings::builder().broker_url("memory://").staging_name("test").service_name("orders").build()?;
    /// let topology = settings.topology();
    /// assert_eq!(topology.exchanges[0].name, "microservice-events-test");
    /// assert!(topology.queues.iter().any(|queue| queue.name == "orders-events.dead"));
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    #[must_use]
    pub fn topology(&self) -> Topology {
        let Some(service) = self.service_name() else {
            let exchanges = Topology::new()
                .exchange(&self.events_exchange, ExchangeKind::Fanout)
                .exchange(&self.notifications_exchange, ExchangeKind::Topic);
            return self.fitted(exchanges);
        };
        let declared = topology::with_notifications(topology::of_events(self, service), self, service);
        let (events, notifications) = (names::events_queue(service), names::notifications_queue(service));
        let declared = RETRY_DELAYS.into_iter().fold(declared, |declared, delay| {
            declared.retry_queue(names::retry_queue(service, delay), delay, &events).retry_queue(
                names::notifications_retry_queue(service, delay),
                delay,
                &notifications,
            )
        });
        self.fitted(declared)
    }
}
