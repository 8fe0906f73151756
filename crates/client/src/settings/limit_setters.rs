//! The methods of the settings builder for limits, and for failing and duplicate messages.

use std::time::Duration;

use zc_events_protocol::Limits;

use super::dedup::Dedup;
use super::settings_builder::SettingsBuilder;

/// Limits, attempts and deduplication.
impl SettingsBuilder {
    /// `EVENTS_MAX_BODY`: the largest body that is accepted or emitted, in bytes, compressed if it is compressed; 16 MiB by
    /// default. A larger message that arrives is dead-lettered unread.
    pub fn events_max_body(mut self, bytes: usize) -> Self {
        self.max_body = Some(bytes.to_string());
        self
    }

    /// `EVENTS_MAX_INFLATED`: the largest body or answer once it is decompressed, in bytes; 64 MiB by default.
    pub fn events_max_inflated(mut self, bytes: usize) -> Self {
        self.max_inflated = Some(bytes.to_string());
        self
    }

    /// `EVENTS_MAX_RATIO`: how many times larger a body or an answer may become by decompression; 200 by default. It is
    /// checked above 1 MiB.
    pub fn events_max_ratio(mut self, ratio: usize) -> Self {
        self.max_ratio = Some(ratio.to_string());
        self
    }

    /// `EVENTS_MAX_DEPTH`: how deeply received JSON may nest; 128 by default.
    pub fn events_max_depth(mut self, depth: usize) -> Self {
        self.max_depth = Some(depth.to_string());
        self
    }

    /// `EVENTS_MAX_HEADERS`: the largest header table of a received message, in bytes; 64 KiB by default. A message with a
    /// larger one is dead-lettered without it.
    pub fn events_max_headers(mut self, bytes: usize) -> Self {
        self.max_headers = Some(bytes.to_string());
        self
    }

    /// `EVENTS_MAX_REPLY`: the largest answer that a service sends and a caller accepts, in bytes, compressed; 16 MiB by
    /// default. Instead of a larger one the caller gets a status of 500.
    pub fn events_max_reply(mut self, bytes: usize) -> Self {
        self.max_reply = Some(bytes.to_string());
        self
    }

    /// `EVENTS_MAX_IN_FLIGHT`: how many bytes of bodies may be published and unconfirmed; 64 MiB by default, and at least
    /// `EVENTS_MAX_BODY`. Sending more waits for confirms.
    pub fn events_max_in_flight(mut self, bytes: usize) -> Self {
        self.max_in_flight = Some(bytes.to_string());
        self
    }

    /// `EVENTS_ATTEMPTS`: how often an event is handled before it is dead-lettered; 5 by default.
    pub fn events_attempts(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts.to_string());
        self
    }

    /// `EVENTS_HANDLER_TIMEOUT`: after how long a running handler counts as stuck; 1500 s by default, at most 1740 s, because
    /// RabbitMQ closes the channel after 30 minutes.
    pub fn events_handler_timeout(mut self, timeout: Duration) -> Self {
        self.handler_timeout = Some(timeout.as_secs_f64().to_string());
        self
    }

    /// `EVENTS_DEDUP`: where a service remembers completed messages; [`Dedup::Process`] by default.
    pub fn events_dedup(mut self, dedup: Dedup) -> Self {
        self.dedup = Some(dedup.to_string());
        self
    }

    /// `EVENTS_DEDUP_TTL`: how long a completed message is remembered; 86400 s by default.
    pub fn events_dedup_ttl(mut self, ttl: Duration) -> Self {
        self.dedup_ttl = Some(ttl.as_secs_f64().to_string());
        self
    }

    /// `EVENTS_HEARTBEAT`: the heartbeat interval in seconds; 10 by default. After two intervals without traffic a connection
    /// is dead, so two thirds of the interval are requested from the broker. `heartbeat=` in the broker URL wins.
    pub fn events_heartbeat(mut self, seconds: u16) -> Self {
        self.heartbeat = Some(seconds.to_string());
        self
    }

    /// Sets all limits of received messages at once. It has no variable. `EVENTS_MAX_BODY`, `_INFLATED`, `_RATIO` and
    /// `_DEPTH`, and the methods of these names, win over its fields.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}
