//! How an AMQP broker is used. Values only.

use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::{Clock, SystemClock};

use super::url::BrokerUrl;

/// How to reach a broker, and with how much.
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

    /// What errors call the place that the URL came from, such as `BROKER_URL`.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>) -> Self {
        self.setting = name.into();
        self
    }

    /// What RabbitMQ's management shows for our connections.
    #[must_use]
    pub fn connection_name(mut self, name: impl Into<String>) -> Self {
        self.connection_name = name.into();
        self
    }

    /// How many channels publish at once, at least 1. They share one connection.
    #[must_use]
    pub fn channels(mut self, channels: u32) -> Self {
        self.channels = channels.clamp(1, 1024);
        self
    }

    /// How long opening a connection to one node may take, within the deadline of the
    /// call. The URL's `connection_timeout` wins.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The heartbeat in seconds, at least 1. After two of them without a sign of life, whether
    /// the broker's to us or ours to the broker, a connection is dead. The URL's `heartbeat` wins.
    /// The broker is asked for two thirds of it, since it gives up only after up to three.
    #[must_use]
    pub fn heartbeat(mut self, seconds: u16) -> Self {
        self.heartbeat = seconds.max(1);
        self
    }

    /// The largest body, in bytes, that is sent: 128 MiB, as is RabbitMQ's own limit by
    /// default, so that whatever arrived can be sent on.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// How many bytes of bodies may have been handed over and not be confirmed yet: 64 MiB.
    /// A send beyond that waits, by its deadline, until confirms have come, and fails with
    /// [`Timeout`](crate::Error::Timeout) of [`Stage::InFlight`](zc_events_protocol::Stage::InFlight), or
    /// [`Blocked`](crate::Error::Blocked), without having sent anything. A message that is larger by
    /// itself goes out when nothing else is out.
    #[must_use]
    pub fn in_flight_bytes(mut self, bytes: usize) -> Self {
        self.in_flight_bytes = bytes;
        self
    }

    /// Where time comes from. Waits for the network are real whatever the clock says.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}
