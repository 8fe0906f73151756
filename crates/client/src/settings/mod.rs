//! What a program is configured with. How the values are read and checked is in
//! `settings_builder`, `blobs` and `check`; what they lead to, in `client` and `service`.

mod blob_store;
mod blobs;
mod check;
mod declarations;
mod dedup;
mod env_file;
mod environment;
mod settings_builder;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zc_events_cache::ReplyStore;
use zc_events_cache::redis::{RedisOptions, RedisReplyStore, RedisUrl};
use zc_events_protocol::{Clock, Limits, Protocol};
use zc_events_transport::amqp::{AmqpBroker, AmqpOptions, BrokerUrl};
use zc_events_transport::memory::MemoryBroker;
use zc_events_transport::{Broker, Topology};

use crate::observe::Observers;
use crate::{Error, Result};

pub(crate) use blob_store::{BlobBucket, shared_bucket};
use blobs::BlobSettings;
pub(crate) use blobs::EMAIL_BUCKET;
pub use dedup::Dedup;
pub use environment::{Environment, SettingSource};
pub use settings_builder::SettingsBuilder;

/// The settings of a client and of the services made from it. Made by
/// [`Settings::from_env`] or [`Settings::builder`]; `Debug` shows no password.
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
    /// How long queues of a sandbox outlive their use, where these settings are one's.
    pub(crate) temporary: Option<Duration>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observers: Observers,
}

/// Where the broker is, and which setting said so.
#[derive(Clone, Debug)]
pub(crate) enum BrokerSetting {
    Amqp { url: BrokerUrl, setting: &'static str },
    Memory { name: Option<String> },
}

impl Settings {
    /// Reads the settings from the environment, and from a file `.env` in the working
    /// directory or above it for what the environment does not say.
    ///
    /// # Errors
    /// [`Error::Config`], naming the variable and what would be right. No `BROKER_URL` is
    /// an error: there is no silent default.
    pub fn from_env() -> Result<Self> {
        Self::from_env_or(SettingsBuilder::default())
    }

    /// [`Settings::from_env`], with `defaults` for what neither the environment nor the file says.
    ///
    /// # Errors
    /// As for [`Settings::from_env`].
    pub fn from_env_or(defaults: SettingsBuilder) -> Result<Self> {
        Self::read_env(defaults)?.build()
    }

    /// What the environment and the file `.env` say, for programs whose command line wins over both.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zc_events::Settings;
    /// # fn main() -> zc_events::Result<()> {
    /// let builder = Settings::builder_from_env()?;
    /// # let builder = builder.broker_url("memory://").staging_name("test");
    /// let settings = builder.events_timeout(Duration::from_secs(5)).build()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] where the file cannot be read. What its values are worth is seen when settings are built.
    pub fn builder_from_env() -> Result<SettingsBuilder> {
        Self::read_env(SettingsBuilder::default())
    }

    fn read_env(defaults: SettingsBuilder) -> Result<SettingsBuilder> {
        let environment = Environment::read()?;
        Ok(defaults.read(|name| environment.get(name).map(|(value, _)| value)))
    }

    /// Reads the settings from wherever `lookup` finds them by the names of the environment's variables.
    ///
    /// ```
    /// use zc_events::Settings;
    /// let settings = Settings::from_lookup(|name| match name {
    ///     "BROKER_URL" => Some("memory://".into()),
    ///     "STAGING_NAME" => Some("test".into()),
    ///     _ => None,
    /// })?;
    /// assert_eq!(settings.events_exchange(), "microservice-events-test");
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Settings::from_env`].
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        SettingsBuilder::default().read(lookup).build()
    }

    /// Settings made in code.
    ///
    /// ```
    /// use zc_events::Settings;
    /// let settings = Settings::builder().broker_url("memory://").staging_name("test").build()?;
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    pub fn builder() -> SettingsBuilder {
        SettingsBuilder::default()
    }

    /// The same settings for another service, where one program runs several.
    ///
    /// # Errors
    /// [`Error::Config`] where that is no name.
    pub fn with_service_name(mut self, name: impl Into<String>) -> Result<Self> {
        self.service_name = Some(check::named("SERVICE_NAME", name.into())?);
        Ok(self)
    }

    /// The exchange that events and requests go to.
    #[must_use]
    pub fn events_exchange(&self) -> &str {
        &self.events_exchange
    }

    /// The exchange that notifications go to.
    #[must_use]
    pub fn notifications_exchange(&self) -> &str {
        &self.notifications_exchange
    }

    /// Where time comes from: for deadlines of one's own, such as those of a [`BlobStore`](crate::blobs::BlobStore).
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

    /// The service's name; events arrive in the queue `<service>-events`.
    #[must_use]
    pub fn service_name(&self) -> Option<&str> {
        self.service_name.as_deref()
    }

    /// The same settings for an exchange and a service of this name, whose queues go by themselves after a while.
    pub(crate) fn in_a_sandbox(mut self, name: String, outlives: Duration) -> Result<Self> {
        self.events_exchange = name.clone();
        self.notifications_exchange = format!("{name}-notifications");
        self.temporary = Some(outlives);
        self.with_service_name(name)
    }

    /// A topology as these settings have it: for good, or, in a sandbox, for a while.
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

    /// The options of connections to RabbitMQ; `None` if the broker is in memory.
    #[must_use]
    pub fn amqp_options(&self) -> Option<AmqpOptions> {
        let BrokerSetting::Amqp { url, setting } = &self.broker else { return None };
        let options = AmqpOptions::new(url.clone())
            .setting(*setting)
            .connection_name(self.service_name.as_deref().unwrap_or("zc-events"))
            .channels(self.pool_size)
            .in_flight_bytes(self.max_in_flight)
            .heartbeat(self.heartbeat)
            .clock(Arc::clone(&self.clock));
        Some(options)
    }

    /// A broker with these settings and its own connections. Connects to nothing yet.
    ///
    /// ```
    /// use zc_events::Settings;
    /// let settings = Settings::builder().broker_url("memory://").staging_name("test").build()?;
    /// let broker = settings.open_broker()?;
    /// assert!(settings.amqp_options().is_none());
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::Unavailable`] if the system gives no thread.
    pub fn open_broker(&self) -> Result<Arc<dyn Broker>> {
        if let Some(options) = self.amqp_options() {
            return Ok(Arc::new(AmqpBroker::new(options)?));
        }
        let clock = Arc::clone(&self.clock);
        Ok(match &self.broker {
            BrokerSetting::Memory { name: Some(name) } => Arc::new(MemoryBroker::named(name, clock)),
            _ => Arc::new(MemoryBroker::new(clock)),
        })
    }

    /// The options of connections to Redis; `None` if the reply store is in memory or not set.
    ///
    /// # Errors
    /// [`Error::Config`] if the URL is wrong.
    pub fn redis_options(&self) -> Result<Option<RedisOptions>> {
        let Some(url) = self.redis_url.as_ref().filter(|url| !url.trim().starts_with("memory://")) else {
            return Ok(None);
        };
        let mut options = RedisOptions::new(RedisUrl::parse(url).map_err(in_redis_url)?, Arc::clone(&self.clock));
        options.pool_size = self.redis_pool_size;
        Ok(Some(options))
    }

    /// A reply store with these settings and its own connections; `None` if `EVENTS_REDIS_URL` is not set. Connects to nothing
    /// yet.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn open_reply_store(&self) -> Result<Option<Arc<dyn ReplyStore>>> {
        let Some(url) = &self.redis_url else { return Ok(None) };
        Ok(Some(match self.redis_options()? {
            Some(options) => Arc::new(RedisReplyStore::new(options).map_err(in_redis_url)?),
            None => zc_events_cache::open(url, Arc::clone(&self.clock)).map_err(in_redis_url)?,
        }))
    }
}

/// Names the setting that the store's error is about.
pub(crate) fn in_redis_url(error: zc_events_cache::Error) -> Error {
    const SETTING: &str = "EVENTS_REDIS_URL";
    match Error::from(error) {
        Error::Config { why } => Error::Config { why: format!("{SETTING}: {why}") },
        Error::Rejected { why, outcome } => Error::Rejected { why: format!("{SETTING}: {why}"), outcome },
        Error::Unavailable { what, outcome, source } => {
            Error::Unavailable { what: format!("{SETTING}: {what}"), outcome, source }
        }
        other => other,
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
