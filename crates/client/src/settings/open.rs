//! Opens the broker and the reply store that the settings name. The blob store is in `blob_store`.

use std::sync::Arc;

use zc_events_cache::ReplyStore;
use zc_events_cache::redis::{RedisOptions, RedisReplyStore, RedisUrl};
use zc_events_transport::Broker;
use zc_events_transport::amqp::{AmqpBroker, AmqpOptions};
use zc_events_transport::memory::MemoryBroker;

use super::values::{BrokerSetting, Settings};
use crate::Result;

impl Settings {
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
    /// [`Error::Config`](crate::Error::Config); [`Error::Unavailable`](crate::Error::Unavailable) if the system gives no thread.
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
    /// [`Error::Config`](crate::Error::Config) if the URL is wrong.
    pub fn redis_options(&self) -> Result<Option<RedisOptions>> {
        let Some(url) = self.redis_url.as_ref().filter(|url| !url.trim().starts_with("memory://")) else {
            return Ok(None);
        };
        let mut options = RedisOptions::new(RedisUrl::parse(url)?, Arc::clone(&self.clock));
        options.pool_size = self.redis_pool_size;
        Ok(Some(options))
    }

    /// A reply store with these settings and its own connections; `None` if `EVENTS_REDIS_URL` is not set. Connects to nothing
    /// yet.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config).
    pub fn open_reply_store(&self) -> Result<Option<Arc<dyn ReplyStore>>> {
        let Some(url) = &self.redis_url else { return Ok(None) };
        Ok(Some(match self.redis_options()? {
            Some(options) => Arc::new(RedisReplyStore::new(options)?),
            None => zc_events_cache::open(url, Arc::clone(&self.clock))?,
        }))
    }
}
