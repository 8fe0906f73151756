//! The builder of settings, and its methods for the broker, the stores, the names and the timeouts. The methods for limits
//! and failures are in `limit_setters`, those for blobs in `blob_setters`. `build_settings` checks the values.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::{Clock, Limits, Protocol};

use super::blob_settings::BlobSettingsBuilder;
use crate::Observer;
use crate::observe::Observers;

/// A builder of [`Settings`](crate::Settings); see [`Settings::builder`](crate::Settings::builder). Each method is named
/// after the environment variable that it replaces. The values are checked by [`SettingsBuilder::build`].
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct SettingsBuilder {
    pub(super) service_name: Option<String>,
    pub(super) staging_name: Option<String>,
    pub(super) broker_url: Option<String>,
    pub(super) celery_broker_url: Option<String>,
    pub(super) events_redis_url: Option<String>,
    pub(super) events_exchange: Option<String>,
    pub(super) notifications_exchange: Option<String>,
    pub(super) queue_max_priority: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) publish_timeout: Option<String>,
    pub(super) shutdown_timeout: Option<String>,
    pub(super) prefetch: Option<String>,
    pub(super) workers: Option<String>,
    pub(super) pool_size: Option<String>,
    pub(super) redis_pool_size: Option<String>,
    pub(super) max_body: Option<String>,
    pub(super) max_inflated: Option<String>,
    pub(super) max_ratio: Option<String>,
    pub(super) max_depth: Option<String>,
    pub(super) max_headers: Option<String>,
    pub(super) max_reply: Option<String>,
    pub(super) max_in_flight: Option<String>,
    pub(super) attempts: Option<String>,
    pub(super) handler_timeout: Option<String>,
    pub(super) dedup: Option<String>,
    pub(super) dedup_ttl: Option<String>,
    pub(super) heartbeat: Option<String>,
    pub(super) blobs: BlobSettingsBuilder,
    pub(super) secret_key: Option<String>,
    pub(super) management_url: Option<String>,
    pub(super) limits: Limits,
    pub(super) clock: Option<Arc<dyn Clock>>,
    pub(super) observers: Observers,
}

/// Shows the names alone: URLs and keys hold secrets.
impl fmt::Debug for SettingsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettingsBuilder")
            .field("service_name", &self.service_name)
            .field("staging_name", &self.staging_name)
            .finish_non_exhaustive()
    }
}

impl SettingsBuilder {
    /// `SERVICE_NAME`: events arrive in the queue `<service>-events`. A service needs it.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.service_name = Some(name.into());
        self
    }

    /// `STAGING_NAME`: the suffix of the names of the exchanges; `production` has none.
    pub fn staging_name(mut self, name: impl Into<String>) -> Self {
        self.staging_name = Some(name.into());
        self
    }

    /// `BROKER_URL`: `amqp://..`, several separated by `;`, `memory://` (one broker for each client and its clones) or
    /// `memory://name` (shared in the process).
    pub fn broker_url(mut self, url: impl Into<String>) -> Self {
        self.broker_url = Some(url.into());
        // A URL set in code wins over `CELERY_BROKER_URL` in the environment.
        self.celery_broker_url = None;
        self
    }

    /// `EVENTS_REDIS_URL`: the reply store, `redis://..` or `memory://..`. Answers arrive in it.
    pub fn events_redis_url(mut self, url: impl Into<String>) -> Self {
        self.events_redis_url = Some(url.into());
        self
    }

    /// `EVENTS_EXCHANGE`, used as given.
    pub fn events_exchange(mut self, name: impl Into<String>) -> Self {
        self.events_exchange = Some(name.into());
        self
    }

    /// `NOTIFICATIONS_EXCHANGE`, used as given.
    pub fn notifications_exchange(mut self, name: impl Into<String>) -> Self {
        self.notifications_exchange = Some(name.into());
        self
    }

    /// `EVENTS_QUEUE_MAX_PRIORITY`: 10 by default, `None` for a queue without priorities.
    pub fn events_queue_max_priority(mut self, max: Option<u8>) -> Self {
        self.queue_max_priority = Some(max.map_or("none".to_owned(), |max| max.to_string()));
        self
    }

    /// `EVENTS_PROTOCOL`: sends all messages in protocol 1 or 2 of Celery.
    pub fn events_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol.to_string());
        self
    }

    /// `EVENTS_TIMEOUT`: how long a request waits for its answer; 60 s by default.
    pub fn events_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout.as_secs_f64().to_string());
        self
    }

    /// `EVENTS_PUBLISH_TIMEOUT`: how long emitting may take; 10 s by default.
    pub fn events_publish_timeout(mut self, timeout: Duration) -> Self {
        self.publish_timeout = Some(timeout.as_secs_f64().to_string());
        self
    }

    /// `EVENTS_SHUTDOWN_TIMEOUT`: how long a stopping service waits for its handlers; 30 s by default.
    pub fn events_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = Some(timeout.as_secs_f64().to_string());
        self
    }

    /// `EVENTS_PREFETCH`: how many unacknowledged messages a service holds; 64 by default.
    pub fn events_prefetch(mut self, prefetch: u16) -> Self {
        self.prefetch = Some(prefetch.to_string());
        self
    }

    /// `EVENTS_WORKERS`: how many handlers run at once; 4 by default.
    pub fn events_workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers.to_string());
        self
    }

    /// `EVENTS_POOL_SIZE`: how many channels publish at once; 8 by default.
    pub fn events_pool_size(mut self, channels: u32) -> Self {
        self.pool_size = Some(channels.to_string());
        self
    }

    /// `EVENTS_REDIS_POOL_SIZE`: how many connections to Redis wait for answers at once; 16 by default.
    pub fn events_redis_pool_size(mut self, connections: u32) -> Self {
        self.redis_pool_size = Some(connections.to_string());
        self
    }

    /// `SECRET_KEY`: the key that signs JSON web tokens; the same as in the Django services that create or check them. It is
    /// never shown.
    pub fn secret_key(mut self, key: impl Into<String>) -> Self {
        self.secret_key = Some(key.into());
        self
    }

    /// `MANAGEMENT_URL`: RabbitMQ's management API, `http://user:password@host:15672`. Only the doctor uses it. It is never
    /// shown.
    pub fn management_url(mut self, url: impl Into<String>) -> Self {
        self.management_url = Some(url.into());
        self
    }

    /// Sets the clock; the system clock by default. It has no variable.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Installs an observer in each client that is made with these settings, as
    /// [`EventClientBuilder::observer`](crate::EventClientBuilder::observer) does for one client: for code that makes
    /// settings for others, such as a test kit.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.add(observer);
        self
    }
}
