//! The settings as checked values.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::{Clock, Limits, Protocol};
use zc_events_transport::Topology;
use zc_events_transport::amqp::BrokerUrl;

use super::blob_settings::BlobSettings;
use super::check::named;
use super::dedup::Dedup;
use crate::Result;
use crate::observe::Observers;

/// The settings of a client and of its services; see [`Settings::from_env`] and [`Settings::builder`]. `Debug` shows no
/// password.
#[derive(Clone)]
pub struct Settings {
    pub(crate) service_name: Option<String>,
    pub(crate) broker: BrokerSetting,
    pub(crate) redis_url: Option<String>,
    pub(crate) events_exchange: String,
    pub(crate) notifications_exchange: String,
    pub(crate) queue_max_priority: Option<u8>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) timeout: Duration,
    pub(crate) publish_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) prefetch: u16,
    pub(crate) workers: usize,
    pub(crate) pool_size: u32,
    pub(crate) redis_pool_size: u32,
    pub(crate) limits: Limits,
    pub(crate) max_headers: usize,
    pub(crate) max_reply: usize,
    pub(crate) max_in_flight: usize,
    pub(crate) attempts: u32,
    pub(crate) handler_timeout: Duration,
    pub(crate) dedup: Dedup,
    pub(crate) dedup_ttl: Duration,
    pub(crate) heartbeat: u16,
    pub(crate) blobs: BlobSettings,
    pub(crate) secret_key: Option<String>,
    pub(crate) management_url: Option<String>,
    /// How long unused queues exist, if these are the settings of a sandbox.
    pub(crate) temporary: Option<Duration>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observers: Observers,
}

/// Where the broker is, and the setting that says so.
#[derive(Clone, Debug)]
pub(crate) enum BrokerSetting {
    Amqp { url: BrokerUrl, setting: &'static str },
    Memory { name: Option<String> },
}

impl Settings {
    /// The same settings with another service name, for a program that runs several services.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) if the name is invalid.
    pub fn with_service_name(mut self, name: impl Into<String>) -> Result<Self> {
        self.service_name = Some(named("SERVICE_NAME", name.into())?);
        Ok(self)
    }

    /// The exchange for events, requests and calls.
    #[must_use]
    pub fn events_exchange(&self) -> &str {
        &self.events_exchange
    }

    /// The exchange for notifications.
    #[must_use]
    pub fn notifications_exchange(&self) -> &str {
        &self.notifications_exchange
    }

    /// The limits for messages of other programs. [`Message::read`](crate::Message::read) takes them.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The clock, for the deadlines of a [`BlobStore`](crate::blobs::BlobStore) and others.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zc_events::Settings;
    /// let settings = Settings::builder().broker_url("memory://").staging_name("test").build()?;
    /// let deadline = settings.clock().deadline(Duration::from_secs(5));
    /// assert!(deadline.remaining(settings.clock()) > Duration::ZERO);
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The name of the service. Events arrive in the queue `<service>-events`.
    #[must_use]
    pub fn service_name(&self) -> Option<&str> {
        self.service_name.as_deref()
    }

    /// The same settings with an exchange and a service of this name, whose unused queues the broker deletes.
    pub(crate) fn in_a_sandbox(mut self, name: String, outlives: Duration) -> Result<Self> {
        self.events_exchange = name.clone();
        self.notifications_exchange = format!("{name}-notifications");
        self.temporary = Some(outlives);
        self.with_service_name(name)
    }

    /// A topology for these settings: in a sandbox the queues are temporary.
    pub(crate) fn fitted(&self, topology: Topology) -> Topology {
        match self.temporary {
            Some(after) => topology.temporary(after),
            None => topology,
        }
    }

    /// The URL of RabbitMQ's management API, `MANAGEMENT_URL`. It contains the password: do not log it.
    #[must_use]
    pub fn management_url(&self) -> Option<&str> {
        self.management_url.as_deref()
    }

    /// Whether there is a store for replies: `EVENTS_REDIS_URL` is set.
    #[must_use]
    pub fn has_reply_store(&self) -> bool {
        self.redis_url.is_some()
    }

    /// The setting that names the broker, for messages to users: `BROKER_URL` or `CELERY_BROKER_URL`.
    #[must_use]
    pub fn broker_setting(&self) -> &'static str {
        match &self.broker {
            BrokerSetting::Amqp { setting, .. } => setting,
            BrokerSetting::Memory { .. } => "BROKER_URL",
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("service_name", &self.service_name)
            .field("broker", &self.broker)
            .field("has_redis_url", &self.redis_url.is_some())
            .field("events_exchange", &self.events_exchange)
            .field("notifications_exchange", &self.notifications_exchange)
            .field("timeout", &self.timeout)
            .field("limits", &self.limits)
            .field("max_headers", &self.max_headers)
            .field("max_in_flight", &self.max_in_flight)
            .field("attempts", &self.attempts)
            .field("handler_timeout", &self.handler_timeout)
            .field("dedup", &self.dedup)
            .field("dedup_ttl", &self.dedup_ttl)
            .field("blobs", &self.blobs)
            .field("has_secret_key", &self.secret_key.is_some())
            .field("has_management_url", &self.management_url.is_some())
            .finish_non_exhaustive()
    }
}
