//! How a client's connections are, for readiness probes.

use std::time::Instant;

use zc_events_cache::StoreHealth;

use super::EventClient;
use crate::observe::ConnectionSeen;

/// How a client is, as far as it knows without asking. More fields may come.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClientHealth {
    /// Whether there is a connection for publishing. It is opened when it is first needed,
    /// so that a client that was not used yet has none, and nothing is wrong with that.
    pub connected: bool,
    /// The node that it leads to, as `host:port`; `None` without a connection, and in memory.
    pub node: Option<String>,
    /// Since when the broker takes no messages (a memory or disk alarm), by the client's clock.
    pub blocked_since: Option<Instant>,
    /// Why, in the broker's words.
    pub blocked_reason: Option<String>,
    /// What the last failure of the connection said. It stays after the connection came back.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<Instant>,
    /// How often the connection was opened so far.
    pub connections: u64,
    /// Messages that were handed over and are not confirmed yet.
    pub in_flight: usize,
    /// The bytes of their bodies.
    pub in_flight_bytes: usize,
    /// Whether there is a reply store to await answers in.
    pub has_reply_store: bool,
    /// Whether the reply store answered the last call; `None` before the first, or without a store.
    pub reply_store_reachable: Option<bool>,
    /// What the last failure of the reply store said. It stays after it came back.
    pub reply_store_last_error: Option<String>,
    /// How many requests await their answers.
    pub waiting: usize,
    /// How many answers were taken from the reply store for requests that had timed out just then, and
    /// could not be put back. The caller got a timeout.
    pub answers_lost: u64,
}

impl ClientHealth {
    /// Whether publishing is likely to succeed: connected, and not blocked.
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
