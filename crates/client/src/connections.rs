//! The broker and the reply store of a client, for programs that use the contracts directly.

use std::sync::Arc;

use zc_events_cache::ReplyStore;
use zc_events_transport::Broker;

use crate::EventClient;

impl EventClient {
    /// The broker that the client publishes to. Use it for what the client does not offer, such as
    /// [`Broker::inspect`].
    #[must_use]
    pub fn broker(&self) -> &Arc<dyn Broker> {
        &self.inner().broker
    }

    /// The store in which the client awaits replies; `None` if `EVENTS_REDIS_URL` is not set.
    #[must_use]
    pub fn reply_store(&self) -> Option<&Arc<dyn ReplyStore>> {
        self.inner().store().ok()
    }
}
