//! The envelope of a message: Celery's task protocols 1 and 2. What is in the envelope is
//! known to the kinds of message, not here.

pub(crate) mod compression;
mod decode;
mod encode;
mod peek;
mod repr;
mod v1;
mod v2;

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use crate::Properties;

pub(crate) use decode::decode;
pub(crate) use encode::{Args, Envelope, Kwargs};
pub use peek::peek_event_type;

/// A version of Celery's task protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// All in the body: `{"task": .., "id": .., "args": .., "kwargs": ..}`. What every zc_events sends for events.
    V1,
    /// Arguments in the body, the rest in headers. What zc_events 0.4 sends for calls.
    V2,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::V1 => "1",
            Protocol::V2 => "2",
        })
    }
}

/// Not a task protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a task protocol: use 1 or 2")]
pub struct UnknownProtocol;

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "1" => Ok(Protocol::V1),
            "2" => Ok(Protocol::V2),
            _ => Err(UnknownProtocol),
        }
    }
}

/// What belongs to the sending of a message rather than to the message.
///
/// ```
/// use std::time::Duration;
/// use zc_events_protocol::EncodeOptions;
/// let options = EncodeOptions { persistent: true, expiration: Some(Duration::from_secs(5)), ..Default::default() };
/// assert!(options.protocol.is_none());
/// ```
#[derive(Clone, Debug, Default)]
pub struct EncodeOptions {
    /// The task protocol; `None` for the one in which zc_events sends that kind of message: 1, and 2 for calls.
    pub protocol: Option<Protocol>,
    /// Who sends, `name@host` in Celery. Protocol 2 only.
    pub origin: Option<String>,
    /// The message that began it all; where `None`, the message's own id, which protocol 1 leaves unsaid.
    /// In protocol 1 a key of the body that Celery reads since version 4 and earlier ones pass over.
    pub root_id: Option<String>,
    /// The message in whose handler this one is sent. In protocol 1 as for `root_id`.
    pub parent_id: Option<String>,
    /// When readers discard it. Clocks differ: leave a margin.
    pub expires: Option<SystemTime>,
    /// Until when readers hold it back.
    pub eta: Option<SystemTime>,
    /// After how long the broker drops it from a queue. Sent in whole milliseconds, at least 1 and at most 2^32 - 1.
    pub expiration: Option<Duration>,
    /// Whether it survives a restart of the broker: delivery mode 2, else 1.
    pub persistent: bool,
    /// The largest body, in bytes; that of [`Limits`](crate::Limits) where `None`.
    pub max_body: Option<usize>,
}

/// A message ready to be sent.
#[derive(Clone, PartialEq)]
pub struct Encoded {
    /// Its properties, headers included.
    pub properties: Properties,
    /// Its body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Encoded {
    /// Without the body and the headers, which repeat it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoded")
            .field("priority", &self.properties.priority)
            .field("correlation_id", &self.properties.correlation_id)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}
