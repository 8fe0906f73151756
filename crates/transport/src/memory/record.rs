//! Records published messages, for tests. It records only after [`MemoryBroker::record`].

use std::fmt;
use std::sync::Arc;

use zc_events_protocol::Properties;

use super::memory_broker::MemoryBroker;
use super::message::MessageContent;

/// A message as it was published: to an existing exchange, and routed or not mandatory.
#[derive(Clone)]
pub struct Published(Arc<MessageContent>);

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
    /// Omits the body, which may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl MemoryBroker {
    /// Keeps all messages that are published from now on, through any handle, for [`MemoryBroker::published`]. There is
    /// no limit: this is for tests.
    pub fn record(&self) {
        self.0.server.with(|state, _| {
            state.record.get_or_insert_default();
        });
    }

    /// The messages that were published since [`MemoryBroker::record`], in order. Empty without that call.
    #[must_use]
    pub fn published(&self) -> Vec<Published> {
        self.0.server.with(|state, _| state.record.iter().flatten().cloned().map(Published).collect())
    }
}
