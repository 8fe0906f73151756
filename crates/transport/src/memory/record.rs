//! What was published, for tests to look at. Nothing is recorded unless it was asked for.

use std::fmt;
use std::sync::Arc;

use zc_events_protocol::Properties;

use super::MemoryBroker;
use super::queue::Content;

/// A message as it was published: to an exchange that is there, and routed or allowed to be lost.
#[derive(Clone)]
pub struct Published(Arc<Content>);

impl Published {
    /// The exchange, empty for the default one.
    #[must_use]
    pub fn exchange(&self) -> &str {
        &self.0.exchange
    }

    /// The routing key.
    #[must_use]
    pub fn routing_key(&self) -> &str {
        &self.0.routing_key
    }

    /// Its properties and headers.
    #[must_use]
    pub fn properties(&self) -> &Properties {
        &self.0.properties
    }

    /// Its body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }
}

impl fmt::Debug for Published {
    /// Without the body, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl MemoryBroker {
    /// Keeps what is published from now on, through any handle, for [`MemoryBroker::published`]. Without end: this is
    /// for tests.
    pub fn record(&self) {
        self.0.server.with(|state, _| {
            state.record.get_or_insert_default();
        });
    }

    /// What was published since [`MemoryBroker::record`], in its order; nothing without that.
    #[must_use]
    pub fn published(&self) -> Vec<Published> {
        self.0.server.with(|state, _| state.record.iter().flatten().cloned().map(Published).collect())
    }
}
