//! Reads settings from variables, checks them and builds them. Each error names the variable, shows its value unless it may
//! be a secret, and says what would be right.

use std::sync::Arc;

use zc_events_protocol::{Limits, SystemClock, names};

use super::check::{DEEPEST, bytes, http, named, number, seconds, shown, size};
use super::dedup::Dedup;
use super::settings_builder::SettingsBuilder;
use super::values::{BrokerSetting, Settings};
use crate::{Error, Result};

/// Reading and checking.
impl SettingsBuilder {
    /// Sets the values that `lookup` finds by the names of the variables. An empty value is ignored.
    pub(crate) fn read(mut self, lookup: impl Fn(&str) -> Option<String>) -> Self {
        let take = |slot: &mut Option<String>, name: &str| {
            if let Some(value) = lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()) {
                *slot = Some(value);
            }
        };
        take(&mut self.service_name, "SERVICE_NAME");
        take(&mut self.staging_name, "STAGING_NAME");
        take(&mut self.broker_url, "BROKER_URL");
        take(&mut self.celery_broker_url, "CELERY_BROKER_URL");
        take(&mut self.events_redis_url, "EVENTS_REDIS_URL");
        take(&mut self.events_exchange, "EVENTS_EXCHANGE");
        take(&mut self.notifications_exchange, "NOTIFICATIONS_EXCHANGE");
        take(&mut self.queue_max_priority, "EVENTS_QUEUE_MAX_PRIORITY");
        take(&mut self.protocol, "EVENTS_PROTOCOL");
        take(&mut self.timeout, "EVENTS_TIMEOUT");
        take(&mut self.publish_timeout, "EVENTS_PUBLISH_TIMEOUT");
        take(&mut self.shutdown_timeout, "EVENTS_SHUTDOWN_TIMEOUT");
        take(&mut self.prefetch, "EVENTS_PREFETCH");
        take(&mut self.workers, "EVENTS_WORKERS");
        take(&mut self.pool_size, "EVENTS_POOL_SIZE");
        take(&mut self.redis_pool_size, "EVENTS_REDIS_POOL_SIZE");
        take(&mut self.max_body, "EVENTS_MAX_BODY");
        take(&mut self.max_inflated, "EVENTS_MAX_INFLATED");
        take(&mut self.max_ratio, "EVENTS_MAX_RATIO");
        take(&mut self.max_depth, "EVENTS_MAX_DEPTH");
        take(&mut self.max_headers, "EVENTS_MAX_HEADERS");
        take(&mut self.max_reply, "EVENTS_MAX_REPLY");
        take(&mut self.max_in_flight, "EVENTS_MAX_IN_FLIGHT");
        take(&mut self.attempts, "EVENTS_ATTEMPTS");
        take(&mut self.handler_timeout, "EVENTS_HANDLER_TIMEOUT");
        take(&mut self.dedup, "EVENTS_DEDUP");
        take(&mut self.dedup_ttl, "EVENTS_DEDUP_TTL");
        take(&mut self.heartbeat, "EVENTS_HEARTBEAT");
        take(&mut self.management_url, "MANAGEMENT_URL");
        self.blobs.read(take);
        // Not trimmed: spaces are part of the key.
        if let Some(key) = lookup("SECRET_KEY") {
            self.secret_key = Some(key);
        }
        self
    }

    /// Checks the values and builds the settings.
    ///
    /// # Errors
    /// [`Error::Config`], naming the variable and what would be right.
    pub fn build(self) -> Result<Settings> {
        let staging = self.staging_name.as_deref();
        let exchange = |explicit: Option<String>, setting: &'static str, default: fn(&str) -> String| {
            let name = match (explicit, staging) {
                (Some(name), _) => name,
                (None, Some(staging)) => default(staging),
                (None, None) => {
                    return Err(Error::config(format!(
                        "neither {setting} nor STAGING_NAME is set: set STAGING_NAME to the name of the environment (`production` for production), as the Python services have it"
                    )));
                }
            };
            named(setting, name)
        };
        let settings = Settings {
            broker: broker(self.broker_url, self.celery_broker_url)?,
            redis_url: self.events_redis_url,
            events_exchange: exchange(self.events_exchange.clone(), "EVENTS_EXCHANGE", names::events_exchange)?,
            notifications_exchange: match (&self.notifications_exchange, staging) {
                // A program that sets only the exchange for events sends no notifications.
                (None, None) => names::DEFAULT_NOTIFICATIONS_EXCHANGE.to_owned(),
                _ => exchange(self.notifications_exchange, "NOTIFICATIONS_EXCHANGE", names::notifications_exchange)?,
            },
            service_name: self.service_name.map(|name| named("SERVICE_NAME", name)).transpose()?,
            queue_max_priority: match self.queue_max_priority.as_deref() {
                Some("none") => None,
                text => Some(number("EVENTS_QUEUE_MAX_PRIORITY", text, 10, 1, 255, " or `none`")? as u8),
            },
            protocol: match self.protocol.as_deref() {
                None | Some("auto") => None,
                Some(text) => Some(text.parse().map_err(|_| {
                    Error::config(format!(
                        "EVENTS_PROTOCOL is {}: use `auto`, 1 or 2 (Celery's task protocol)",
                        shown(text)
                    ))
                })?),
            },
            timeout: seconds("EVENTS_TIMEOUT", self.timeout, 60, None)?,
            publish_timeout: seconds("EVENTS_PUBLISH_TIMEOUT", self.publish_timeout, 10, None)?,
            shutdown_timeout: seconds("EVENTS_SHUTDOWN_TIMEOUT", self.shutdown_timeout, 30, None)?,
            prefetch: number("EVENTS_PREFETCH", self.prefetch.as_deref(), 64, 1, 65535, "")? as u16,
            workers: number("EVENTS_WORKERS", self.workers.as_deref(), 4, 1, 1024, "")? as usize,
            pool_size: number("EVENTS_POOL_SIZE", self.pool_size.as_deref(), 8, 1, 1024, "")? as u32,
            redis_pool_size: number("EVENTS_REDIS_POOL_SIZE", self.redis_pool_size.as_deref(), 16, 1, 1024, "")? as u32,
            limits: Limits {
                body: bytes("EVENTS_MAX_BODY", self.max_body.as_deref(), self.limits.body)?,
                inflated: bytes("EVENTS_MAX_INFLATED", self.max_inflated.as_deref(), self.limits.inflated)?,
                ratio: size("EVENTS_MAX_RATIO", self.max_ratio.as_deref(), self.limits.ratio, 2, 100_000)?,
                depth: size("EVENTS_MAX_DEPTH", self.max_depth.as_deref(), self.limits.depth, 8, DEEPEST)?,
            },
            max_headers: bytes("EVENTS_MAX_HEADERS", self.max_headers.as_deref(), 64 << 10)?,
            max_reply: bytes("EVENTS_MAX_REPLY", self.max_reply.as_deref(), 16 << 20)?,
            max_in_flight: bytes("EVENTS_MAX_IN_FLIGHT", self.max_in_flight.as_deref(), 64 << 20)?,
            attempts: number("EVENTS_ATTEMPTS", self.attempts.as_deref(), 5, 1, 100, "")? as u32,
            handler_timeout: seconds(
                "EVENTS_HANDLER_TIMEOUT",
                self.handler_timeout,
                1500,
                // A minute before RabbitMQ closes the channel of a consumer that does not acknowledge.
                Some(1740),
            )?,
            dedup: match self.dedup.as_deref() {
                None => Dedup::default(),
                Some(text) => text.parse()?,
            },
            dedup_ttl: seconds("EVENTS_DEDUP_TTL", self.dedup_ttl, 86_400, None)?,
            heartbeat: number("EVENTS_HEARTBEAT", self.heartbeat.as_deref(), 10, 1, 300, "")? as u16,
            blobs: self.blobs.build()?,
            secret_key: self.secret_key.filter(|key| !key.trim().is_empty()),
            management_url: self.management_url.map(http).transpose()?,
            temporary: None,
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock)),
            observers: self.observers,
        };
        if settings.max_in_flight < settings.limits.body {
            return Err(Error::config(format!(
                "EVENTS_MAX_IN_FLIGHT is {}, less than EVENTS_MAX_BODY, {}: an event of that size could never be sent",
                settings.max_in_flight, settings.limits.body
            )));
        }
        if settings.dedup == Dedup::Store && settings.redis_url.is_none() {
            return Err(Error::config(
                "EVENTS_DEDUP is `store` and EVENTS_REDIS_URL is not set: completed messages are remembered there",
            ));
        }
        // A wrong URL is an error now, not at the first request.
        settings.open_reply_store()?;
        Ok(settings)
    }
}

fn broker(broker_url: Option<String>, celery_broker_url: Option<String>) -> Result<BrokerSetting> {
    let (url, setting) = match (celery_broker_url, broker_url) {
        (Some(url), _) => (url, "CELERY_BROKER_URL"),
        (None, Some(url)) => (url, "BROKER_URL"),
        (None, None) => {
            return Err(Error::config(
                "BROKER_URL is not set: set it to amqp://user:password@host:5672/%2F, or to memory:// to try things without a broker",
            ));
        }
    };
    if let Some(name) = url.strip_prefix("memory://") {
        let name = name.trim_end_matches('/');
        return Ok(BrokerSetting::Memory { name: (!name.is_empty()).then(|| name.to_owned()) });
    }
    let url = url.parse().map_err(|error| Error::config(format!("{setting}: {error}")))?;
    Ok(BrokerSetting::Amqp { url, setting })
}
