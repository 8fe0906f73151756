//! A message that has arrived. It holds its bytes, and is parsed when a method first needs that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use zc_events_protocol::{
    DecodeError, HeaderValue, Headers, Limits, PayloadError, Properties, Task, TaskMessage, names, peek_event_type,
};
use zc_events_transport::{Delivery, Settler};

use super::queue::ConsumedQueue;

/// An inbound message.
pub(in crate::service) struct InboundMessage {
    task: TaskMessage,
    pub(super) exchange: String,
    pub(super) routing_key: String,
    pub(super) is_redelivered: bool,
    /// Why its headers could not be read, where they could not.
    pub(super) defect: Option<&'static str>,
    pub(super) settler: Settler,
    pub(super) arrived: Instant,
    pub(super) queue: Arc<ConsumedQueue>,
    /// Which it is among all of this process.
    pub(in crate::service) number: u64,
    /// On which connection of its queue it came.
    pub(super) epoch: u64,
    /// By what it is known, once it is being handled.
    pub(super) key: OnceLock<String>,
}

impl InboundMessage {
    pub(super) fn new(delivery: Delivery, limits: Limits, arrived: Instant, queue: &Arc<ConsumedQueue>) -> Arc<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            task: TaskMessage::new(delivery.properties, delivery.body, limits),
            exchange: delivery.exchange,
            routing_key: delivery.routing_key,
            is_redelivered: delivery.redelivered,
            defect: delivery.defect,
            settler: delivery.settler,
            arrived,
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            epoch: queue.epoch(),
            queue: Arc::clone(queue),
            key: OnceLock::new(),
        })
    }

    pub(super) fn properties(&self) -> &Properties {
        self.task.properties()
    }

    pub(super) fn body(&self) -> &[u8] {
        self.task.body()
    }

    /// Its event type, found without reading all of it.
    pub(super) fn peek_event_type(&self) -> Option<&str> {
        self.task.peek_event_type()
    }

    /// What it says.
    pub(in crate::service) fn task(&self) -> Result<&Task, DecodeError> {
        self.task.task()
    }

    /// Its keyword arguments without `task_id`, as a `T`.
    pub(in crate::service) fn payload<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        self.task.payload()
    }

    /// What the sender gave it; the broker counts it no further once it was delivered.
    pub(super) fn time_to_live(&self) -> Option<Duration> {
        self.properties().expiration.as_deref()?.parse().ok().map(Duration::from_millis)
    }
}

/// The event type of a delivery, found without reading all of it; that of one whose headers cannot be read as well, since
/// it may be for others.
pub(super) fn event_type(delivery: &Delivery) -> Option<&str> {
    if delivery.defect.is_none() {
        return peek_event_type(&delivery.properties, &delivery.body);
    }
    let headers = Headers::from([("task".to_owned(), HeaderValue::from(names::EVENT_TASK))]);
    let assumed = Properties {
        content_type: Some("application/json".to_owned()),
        headers: Some(headers),
        ..Properties::default()
    };
    peek_event_type(&assumed, &delivery.body)
}
