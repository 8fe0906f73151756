//! The state of a client's connections, for readiness probes.

use std::time::Instant;

use zc_events_cache::StoreHealth;

use super::EventClient;
use crate::observe::ConnectionSeen;

/// The state of a client, as far as it knows without asking a server.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClientHealth {
    /// Whether the connection for publishing is open. It is opened when it is first needed, so an unused client
    /// has none.
    pub connected: bool,
    /// The node of the connection, as `host:port`; `None` without a connection, and in memory.
    pub node: Option<String>,
    /// When the broker began to block publishers (a memory or disk alarm), by the client's clock.
    pub blocked_since: Option<Instant>,
    /// The broker's reason for blocking.
    pub blocked_reason: Option<String>,
    /// The text of the connection's last failure. It is kept after the connection has come back.
    pub last_error: Option<String>,
    /// The time of that failure.
    pub last_error_at: Option<Instant>,
    /// How often the connection was opened.
    pub connections: u64,
    /// The number of messages that were sent and are not confirmed yet.
    pub in_flight: usize,
    /// The size of their bodies, in bytes.
    pub in_flight_bytes: usize,
    /// Whether the client has a reply store.
    pub has_reply_store: bool,
    /// Whether the reply store answered the last call; `None` before the first, or without a store.
    pub reply_store_reachable: Option<bool>,
    /// The text of the reply store's last failure. It is kept after the store has come back.
    pub reply_store_last_error: Option<String>,
    /// The number of requests that wait for an answer.
    pub waiting: usize,
    /// The number of answers that were taken from the reply store just when their request timed out, and that could not be
    /// put back. The caller got a timeout.
    pub answers_lost: u64,
}

impl ClientHealth {
    /// Whether the client is connected and not blocked, so that publishing is likely to succeed.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.connected && self.blocked_since.is_none()
    }
}

impl EventClient {
    /// The state of the connections. Sends nothing and does not block.
    ///
    /// ```
    /// # use zc_events::{Event, EventClient, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").staging_name("test").build()?;
    /// let client = EventClient::new(settings)?;
    /// assert!(!client.health().connected); // opened when it is first needed
    /// let _ = client.emit(&Event::new("order_created")); // no queue is bound, but this opened a connection
    /// let health = client.health();
    /// assert!(health.is_ready() && health.blocked_reason.is_none());
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    #[must_use]
    pub fn health(&self) -> ClientHealth {
        let inner = self.inner();
        let broker = inner.broker.health();
        let seen = ConnectionSeen { is_connected: broker.connected, is_blocked: broker.blocked.is_some() };
        inner.observers.tell(|observer| observer.connection_seen(&seen));
        let (blocked_since, blocked_reason) = broker.blocked.unzip();
        let store = inner.store.as_ref().map_or_else(StoreHealth::default, |store| store.health());
        ClientHealth {
            connected: broker.connected,
            node: broker.node,
            blocked_since,
            blocked_reason,
            last_error: broker.last_error,
            last_error_at: broker.last_error_at,
            connections: broker.connections,
            in_flight: broker.unconfirmed,
            in_flight_bytes: broker.unconfirmed_bytes,
            has_reply_store: inner.store.is_some(),
            reply_store_reachable: store.reachable,
            reply_store_last_error: store.last_error,
            waiting: store.waiting,
            answers_lost: store.lost,
        }
    }
}
