//! Reading and checking settings. Every message names the variable, shows the offending
//! value where it cannot be a secret, and says what would be right.

use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::{Clock, Limits, Protocol, SystemClock, names};

use super::{BrokerSetting, Settings};
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
    limits: Limits,
    clock: Option<Arc<dyn Clock>>,
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

    /// How large what arrives may be. No variable.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where time comes from. No variable; the system's unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Takes over what `lookup` finds; an empty value counts as none.
    pub(super) fn read(mut self, lookup: impl Fn(&str) -> Option<String>) -> Self {
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
                    Error::config(format!("EVENTS_PROTOCOL is `{text}`: use `auto`, 1 or 2 (Celery's task protocol)"))
                })?),
            },
            timeout: seconds("EVENTS_TIMEOUT", self.timeout, 60)?,
            publish_timeout: seconds("EVENTS_PUBLISH_TIMEOUT", self.publish_timeout, 10)?,
            shutdown_timeout: seconds("EVENTS_SHUTDOWN_TIMEOUT", self.shutdown_timeout, 30)?,
            prefetch: number("EVENTS_PREFETCH", self.prefetch.as_deref(), 64, 1, 65535, "")? as u16,
            workers: number("EVENTS_WORKERS", self.workers.as_deref(), 4, 1, 1024, "")? as usize,
            pool_size: number("EVENTS_POOL_SIZE", self.pool_size.as_deref(), 8, 1, 1024, "")? as u32,
            redis_pool_size: number("EVENTS_REDIS_POOL_SIZE", self.redis_pool_size.as_deref(), 16, 1, 1024, "")? as u32,
            limits: self.limits,
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock)),
        };
        // A wrong URL shows here and not at the first request.
        settings.open_store()?;
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

pub(super) fn named(setting: &'static str, name: String) -> Result<String> {
    // A queue's name is the service's with up to 13 bytes behind it.
    const LONGEST: usize = names::MAX_NAME - 32;
    if name.is_empty() || name.len() > LONGEST || name.chars().any(char::is_control) {
        return Err(Error::config(format!(
            "{setting} is not a name of 1 to {LONGEST} bytes without control characters"
        )));
    }
    Ok(name)
}

fn number(setting: &str, text: Option<&str>, default: u64, least: u64, most: u64, or: &str) -> Result<u64> {
    let Some(text) = text else {
        return Ok(default);
    };
    text.parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| {
        Error::config(format!(
            "{setting} is `{text}`: use a whole number from {least} to {most}{or} (default {default})"
        ))
    })
}

fn seconds(setting: &str, text: Option<String>, default: u64) -> Result<Duration> {
    let Some(text) = text else {
        return Ok(Duration::from_secs(default));
    };
    text.parse()
        .ok()
        .filter(|seconds| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| {
            Error::config(format!(
                "{setting} is `{text}`: use a number of seconds above 0, such as {default} (the default) or 2.5"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings> {
        Settings::from_lookup(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    const BASE: [(&str, &str); 2] = [("BROKER_URL", "memory://"), ("STAGING_NAME", "test")];

    fn with(name: &str, value: &str) -> Result<Settings> {
        let mut pairs = BASE.to_vec();
        pairs.insert(0, (name, value));
        read(&pairs)
    }

    #[test]
    fn exchanges_are_named_by_the_environment_unless_given() {
        let settings = read(&BASE).unwrap();
        assert_eq!(settings.events_exchange(), "microservice-events-test");
        assert_eq!(settings.notifications_exchange(), "microservice-notifications-test");
        assert_eq!(with("STAGING_NAME", "production").unwrap().events_exchange(), "microservice-events");
        assert_eq!(with("EVENTS_EXCHANGE", "mine").unwrap().events_exchange(), "mine");
        let error = read(&BASE[..1]).unwrap_err().to_string();
        assert!(error.contains("EVENTS_EXCHANGE") && error.contains("STAGING_NAME"), "{error}");
    }

    #[test]
    fn a_missing_broker_is_an_error_and_celerys_name_wins() {
        let error = read(&BASE[1..]).unwrap_err().to_string();
        assert!(error.contains("BROKER_URL is not set") && error.contains("amqp://"), "{error}");
        assert!(read(&[("BROKER_URL", ""), BASE[1]]).is_err(), "an empty value counts as none");
        let settings = with("CELERY_BROKER_URL", "amqp://u:canary@h/x").unwrap();
        assert!(matches!(&settings.broker, BrokerSetting::Amqp { setting: "CELERY_BROKER_URL", .. }));
        assert!(!format!("{settings:?}").contains("canary"));
    }

    #[test]
    fn wrong_values_are_told_with_their_name_and_without_a_secret() {
        for (name, value, says) in [
            ("BROKER_URL", "amqp://u:canary@h:x/", "BROKER_URL: the broker URL is wrong: its port"),
            ("CELERY_BROKER_URL", "http://u:canary@h", "CELERY_BROKER_URL: the broker URL is wrong: its scheme"),
            ("EVENTS_REDIS_URL", "http://:canary@h", "EVENTS_REDIS_URL"),
            (
                "EVENTS_QUEUE_MAX_PRIORITY",
                "0",
                "EVENTS_QUEUE_MAX_PRIORITY is `0`: use a whole number from 1 to 255 or `none`",
            ),
            ("EVENTS_PROTOCOL", "3", "EVENTS_PROTOCOL is `3`"),
            ("EVENTS_TIMEOUT", "soon", "EVENTS_TIMEOUT is `soon`: use a number of seconds"),
            ("EVENTS_TIMEOUT", "-1", "EVENTS_TIMEOUT is `-1`"),
            ("EVENTS_TIMEOUT", "NaN", "EVENTS_TIMEOUT is `NaN`"),
            ("EVENTS_PUBLISH_TIMEOUT", "1e400", "EVENTS_PUBLISH_TIMEOUT"),
            ("EVENTS_PREFETCH", "0", "EVENTS_PREFETCH"),
            ("EVENTS_PREFETCH", "65536", "EVENTS_PREFETCH"),
            ("EVENTS_WORKERS", "many", "EVENTS_WORKERS is `many`"),
            ("EVENTS_POOL_SIZE", "0", "EVENTS_POOL_SIZE"),
            ("EVENTS_REDIS_POOL_SIZE", "0", "EVENTS_REDIS_POOL_SIZE"),
            ("SERVICE_NAME", "a\nb", "SERVICE_NAME is not a name"),
        ] {
            let Err(error) = with(name, value) else { panic!("{name}={value} was accepted") };
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(says), "{name}={value}: {shown}");
            assert!(!shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn the_environment_wins_over_defaults_in_code() {
        let defaults = Settings::builder().broker_url("memory://").staging_name("demo").service_name("a");
        let settings = defaults.read(|name| (name == "SERVICE_NAME").then(|| "b".to_owned())).build().unwrap();
        assert_eq!(settings.service_name(), Some("b"));
        assert_eq!(settings.events_exchange(), "microservice-events-demo");
    }

    #[test]
    fn every_number_is_read() {
        assert_eq!(with("EVENTS_QUEUE_MAX_PRIORITY", "none").unwrap().queue_max_priority, None);
        assert_eq!(read(&BASE).unwrap().queue_max_priority, Some(10));
        assert_eq!(with("EVENTS_TIMEOUT", "2.5").unwrap().timeout, Duration::from_millis(2500));
        assert_eq!(with("EVENTS_PROTOCOL", "2").unwrap().protocol, Some(Protocol::V2));
        assert_eq!(with("EVENTS_PREFETCH", "65535").unwrap().prefetch, 65535);
    }
}
