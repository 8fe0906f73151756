//! How a client's connections are, for readiness probes.

use std::time::Instant;

use super::EventClient;
use crate::metrics;

/// How a client is, as far as it knows without asking. More fields may come.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClientHealth {
    /// Whether there is a connection for publishing. It is opened when it is first needed,
    /// so that a client that was not used yet has none, and nothing is wrong with that.
    pub connected: bool,
    /// Since when the broker takes no messages (a memory or disk alarm), by the client's clock.
    pub blocked_since: Option<Instant>,
    /// Why, in the broker's words.
    pub blocked_reason: Option<String>,
    /// What the last failure of the connection said. It stays after the connection came back.
    pub last_error: Option<String>,
    /// Whether there is a reply store to await answers in.
    pub has_reply_store: bool,
}

impl ClientHealth {
    /// Whether publishing is likely to succeed: connected, and not blocked.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.connected && self.blocked_since.is_none()
    }
}

impl EventClient {
    /// How the connections are. Asks nobody and does not block.
    ///
    /// ```
    /// # use zc_events::{Event, EventClient, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").staging_name("test").build()?;
    /// let client = EventClient::new(settings)?;
    /// assert!(!client.health().connected); // opened when it is first needed
    /// let _ = client.emit(&Event::new("order_created")); // nobody listens, and yet there was a connection
    /// let health = client.health();
    /// assert!(health.is_ready() && health.blocked_reason.is_none());
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    #[must_use]
    pub fn health(&self) -> ClientHealth {
        let inner = self.inner();
        let broker = inner.broker.health();
        metrics::connection(broker.connected, broker.blocked.is_some());
        let (blocked_since, blocked_reason) = broker.blocked.unzip();
        ClientHealth {
            connected: broker.connected,
            blocked_since,
            blocked_reason,
            last_error: broker.last_error,
            has_reply_store: inner.store.is_some(),
        }
    }
}
