//! The options of an AMQP broker. Values only.

use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::{Clock, SystemClock};

use super::url::BrokerUrl;

/// How to reach a broker, and its limits.
///
/// ```
/// use zc_events_transport::amqp::AmqpOptions;
/// let options = AmqpOptions::new("amqp://guest:guest@localhost:5672/%2F".parse()?).channels(4);
/// # Ok::<(), zc_events_transport::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AmqpOptions {
    pub(super) url: BrokerUrl,
    pub(super) setting: String,
    pub(super) connection_name: String,
    pub(super) channels: u32,
    pub(super) heartbeat: u16,
    pub(super) connect_timeout: Duration,
    pub(super) max_body: usize,
    pub(super) in_flight_bytes: usize,
    pub(super) clock: Arc<dyn Clock>,
}

impl AmqpOptions {
    /// The defaults for this URL: 8 channels, a heartbeat of 10 s, 10 s to connect, bodies
    /// of up to 128 MiB, 64 MiB of them unconfirmed at a time.
    #[must_use]
    pub fn new(url: BrokerUrl) -> Self {
        Self {
            url,
            setting: "the broker URL".to_owned(),
            connection_name: "zc-events".to_owned(),
            channels: 8,
            heartbeat: 10,
            connect_timeout: Duration::from_secs(10),
            max_body: 128 << 20,
            in_flight_bytes: 64 << 20,
            clock: Arc::new(SystemClock),
        }
    }

    /// The name of the setting that the URL came from, such as `BROKER_URL`, for error messages.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>) -> Self {
        self.setting = name.into();
        self
    }

    /// The name that RabbitMQ's management shows for the connections.
    #[must_use]
    pub fn connection_name(mut self, name: impl Into<String>) -> Self {
        self.connection_name = name.into();
        self
    }

    /// How many channels publish at the same time, at least 1. They share one connection.
    #[must_use]
    pub fn channels(mut self, channels: u32) -> Self {
        self.channels = channels.clamp(1, 1024);
        self
    }

    /// How long opening a connection to one node may take, within the deadline of the call. The URL's
    /// `connection_timeout` overrides it.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The heartbeat in seconds, at least 1. After two heartbeats of silence in either direction, a connection counts
    /// as dead. The URL's `heartbeat` overrides it. The broker is asked for two thirds of it, since it gives up only
    /// after up to three.
    #[must_use]
    pub fn heartbeat(mut self, seconds: u16) -> Self {
        self.heartbeat = seconds.max(1);
        self
    }

    /// The largest body that is sent, in bytes. The default is 128 MiB, like RabbitMQ's limit, so any message that
    /// arrived can be republished.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// How many bytes of bodies may be sent and not confirmed yet. The default is 64 MiB. A send above the limit waits
    /// for confirms until its deadline, and then fails with [`Timeout`](crate::Error::Timeout) of
    /// [`Stage::InFlight`](zc_events_protocol::Stage::InFlight) or with [`Blocked`](crate::Error::Blocked). The message
    /// was not sent then. A message above the limit is sent when no other is unconfirmed.
    #[must_use]
    pub fn in_flight_bytes(mut self, bytes: usize) -> Self {
        self.in_flight_bytes = bytes;
        self
    }

    /// The clock. Waits for the network use real time whatever the clock says.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}
