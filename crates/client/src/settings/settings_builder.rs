//! Reading settings and putting them together. How numbers are checked is in `check`. Every
//! message names the variable, shows the offending value where it cannot be a secret, and
//! says what would be right.

use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::{Clock, Limits, Protocol, SystemClock, names};

use super::blobs::BlobSettingsBuilder;
use super::check::{DEEPEST, bytes, http, named, number, seconds, shown, size};
use super::{BrokerSetting, Dedup, Settings};
use crate::Observer;
use crate::observe::Observers;
use crate::{Error, Result};

/// Settings in the making; see [`Settings::builder`]. Each method is named after the
/// environment's variable that it stands for.
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct SettingsBuilder {
    service_name: Option<String>,
    staging_name: Option<String>,
    broker_url: Option<String>,
    celery_broker_url: Option<String>,
    events_redis_url: Option<String>,
    events_exchange: Option<String>,
    notifications_exchange: Option<String>,
    queue_max_priority: Option<String>,
    protocol: Option<String>,
    timeout: Option<String>,
    publish_timeout: Option<String>,
    shutdown_timeout: Option<String>,
    prefetch: Option<String>,
    workers: Option<String>,
    pool_size: Option<String>,
    redis_pool_size: Option<String>,
    max_body: Option<String>,
    max_inflated: Option<String>,
    max_ratio: Option<String>,
    max_depth: Option<String>,
    max_headers: Option<String>,
    max_reply: Option<String>,
    max_in_flight: Option<String>,
    attempts: Option<String>,
    handler_timeout: Option<String>,
    dedup: Option<String>,
    dedup_ttl: Option<String>,
    heartbeat: Option<String>,
    pub(super) blobs: BlobSettingsBuilder,
    secret_key: Option<String>,
    management_url: Option<String>,
    limits: Limits,
    clock: Option<Arc<dyn Clock>>,
    observers: Observers,
}

impl SettingsBuilder {
    /// `SERVICE_NAME`: events arrive in the queue `<service>-events`. A service needs it.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.service_name = Some(name.into());
        self
    }

    /// `STAGING_NAME`: ends the exchanges' names, but for `production`.
    pub fn staging_name(mut self, name: impl Into<String>) -> Self {
        self.staging_name = Some(name.into());
        self
    }

    /// `BROKER_URL`: `amqp://..`, several with `;`, `memory://` (one for each client and its
    /// clones) or `memory://name` (shared in the process).
    pub fn broker_url(mut self, url: impl Into<String>) -> Self {
        self.broker_url = Some(url.into());
        // What was read before is what this is to win over.
        self.celery_broker_url = None;
        self
    }

    /// `EVENTS_REDIS_URL`: `redis://..` or `memory://..`, where answers are awaited.
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

    /// `EVENTS_QUEUE_MAX_PRIORITY`: 10 unless set, `None` for a queue without priorities.
    pub fn events_queue_max_priority(mut self, max: Option<u8>) -> Self {
        self.queue_max_priority = Some(max.map_or("none".to_owned(), |max| max.to_string()));
        self
    }

    /// `EVENTS_PROTOCOL`: forces Celery's protocol 1 or 2 for all that is sent.
    pub fn events_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol.to_string());
        self
    }

    /// `EVENTS_TIMEOUT`: how long a request waits for its answer, 60 s unless set.
    pub fn events_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout.as_secs_f64().to_string());
        self
    }

    /// `EVENTS_PUBLISH_TIMEOUT`: how long emitting may take, 10 s unless set.
    pub fn events_publish_timeout(mut self, timeout: Duration) -> Self {
        self.publish_timeout = Some(timeout.as_secs_f64().to_string());
        self
    }

    /// `EVENTS_SHUTDOWN_TIMEOUT`: how long a stopping service waits for its handlers, 30 s unless set.
    pub fn events_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = Some(timeout.as_secs_f64().to_string());
        self
    }

    /// `EVENTS_PREFETCH`: how many messages a service holds at once, 64 unless set.
    pub fn events_prefetch(mut self, prefetch: u16) -> Self {
        self.prefetch = Some(prefetch.to_string());
        self
    }

    /// `EVENTS_WORKERS`: how many handlers run at once, 4 unless set.
    pub fn events_workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers.to_string());
        self
    }

    /// `EVENTS_POOL_SIZE`: how many channels publish at once, 8 unless set.
    pub fn events_pool_size(mut self, channels: u32) -> Self {
        self.pool_size = Some(channels.to_string());
        self
    }

    /// `EVENTS_REDIS_POOL_SIZE`: how many requests wait at once, 16 unless set.
    pub fn events_redis_pool_size(mut self, connections: u32) -> Self {
        self.redis_pool_size = Some(connections.to_string());
        self
    }

    /// `EVENTS_MAX_BODY`: the largest body, in bytes and compressed where it is, that is taken or
    /// emitted; 16 MiB unless set. What arrives and is larger is dead-lettered unread.
    pub fn events_max_body(mut self, bytes: usize) -> Self {
        self.max_body = Some(bytes.to_string());
        self
    }

    /// `EVENTS_MAX_INFLATED`: the largest body or answer once it is decompressed, in bytes; 64 MiB unless set.
    pub fn events_max_inflated(mut self, bytes: usize) -> Self {
        self.max_inflated = Some(bytes.to_string());
        self
    }

    /// `EVENTS_MAX_RATIO`: how many times larger than its compressed form a body or an answer may
    /// become, looked at beyond 1 MiB; 200 unless set.
    pub fn events_max_ratio(mut self, ratio: usize) -> Self {
        self.max_ratio = Some(ratio.to_string());
        self
    }

    /// `EVENTS_MAX_DEPTH`: how deep JSON that arrives may nest; 128 unless set.
    pub fn events_max_depth(mut self, depth: usize) -> Self {
        self.max_depth = Some(depth.to_string());
        self
    }

    /// `EVENTS_MAX_HEADERS`: the largest header table of a message that arrives, in bytes; 64 KiB
    /// unless set. A message with a larger one is dead-lettered without it.
    pub fn events_max_headers(mut self, bytes: usize) -> Self {
        self.max_headers = Some(bytes.to_string());
        self
    }

    /// `EVENTS_MAX_REPLY`: the largest answer, in bytes and compressed, that a service hands in and
    /// a caller takes; 16 MiB unless set. In place of a larger one the caller is told a status of 500.
    pub fn events_max_reply(mut self, bytes: usize) -> Self {
        self.max_reply = Some(bytes.to_string());
        self
    }

    /// `EVENTS_MAX_IN_FLIGHT`: how many bytes of bodies may be published and unconfirmed; 64 MiB
    /// unless set, and at least `EVENTS_MAX_BODY`. Whoever wants to send more waits.
    pub fn events_max_in_flight(mut self, bytes: usize) -> Self {
        self.max_in_flight = Some(bytes.to_string());
        self
    }

    /// `EVENTS_ATTEMPTS`: how often an event's handler is tried before the message is
    /// dead-lettered, 5 unless set.
    pub fn events_attempts(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts.to_string());
        self
    }

    /// `EVENTS_HANDLER_TIMEOUT`: after how long a handler that has not returned counts as stuck;
    /// 1500 s unless set, at most 1740 s, since RabbitMQ closes the channel after 30 minutes.
    pub fn events_handler_timeout(mut self, timeout: Duration) -> Self {
        self.handler_timeout = Some(timeout.as_secs_f64().to_string());
        self
    }

    /// `EVENTS_DEDUP`: where it is remembered which messages are completed; [`Dedup::Process`] unless set.
    pub fn events_dedup(mut self, dedup: Dedup) -> Self {
        self.dedup = Some(dedup.to_string());
        self
    }

    /// `EVENTS_DEDUP_TTL`: how long a completed message is remembered, 86400 s unless set.
    pub fn events_dedup_ttl(mut self, ttl: Duration) -> Self {
        self.dedup_ttl = Some(ttl.as_secs_f64().to_string());
        self
    }

    /// `EVENTS_HEARTBEAT`: the heartbeat in seconds, 10 unless set. After two of them without a
    /// sign of life, ours or the broker's, a connection is dead; so the broker is asked for two thirds of
    /// it. The broker URL's own `heartbeat=` wins.
    pub fn events_heartbeat(mut self, seconds: u16) -> Self {
        self.heartbeat = Some(seconds.to_string());
        self
    }

    /// `SECRET_KEY`: what JSON web tokens are signed with, the same as in the Django services that make or check them.
    /// Nothing shows it.
    pub fn secret_key(mut self, key: impl Into<String>) -> Self {
        self.secret_key = Some(key.into());
        self
    }

    /// `MANAGEMENT_URL`: `http://user:password@host:15672`, where RabbitMQ's management API is, which tells the
    /// doctor what AMQP does not. Nothing else asks it. Nothing shows it.
    pub fn management_url(mut self, url: impl Into<String>) -> Self {
        self.management_url = Some(url.into());
        self
    }

    /// How large what arrives may be, in one. No variable: `EVENTS_MAX_BODY`, `_INFLATED`, `_RATIO` and
    /// `_DEPTH`, and the methods named after them, win over its fields.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where time comes from. No variable; the system's unless set.
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

    /// Takes over what `lookup` finds; an empty value counts as none.
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
        // To the letter, blanks at its ends included: another key signs other tokens.
        if let Some(key) = lookup("SECRET_KEY") {
            self.secret_key = Some(key);
        }
        self
    }

    /// Checks the settings.
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
                // Whoever names only the events' exchange sends no notifications.
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
        // A wrong URL shows here and not at the first request.
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
