//! Options for encoding a message.

use std::time::{Duration, SystemTime};

use super::protocol::Protocol;
use crate::{EncodeError, timestamp};

/// How a message is sent: options that belong to the sending and not to the message.
///
/// ```
/// use std::time::Duration;
/// use zc_events_protocol::EncodeOptions;
/// let options = EncodeOptions { persistent: true, expiration: Some(Duration::from_secs(5)), ..Default::default() };
/// assert!(options.protocol.is_none());
/// ```
#[derive(Clone, Debug, Default)]
pub struct EncodeOptions {
    /// The task protocol. `None` for the protocol in which zc_events sends this kind of message: 2 for calls, else 1.
    pub protocol: Option<Protocol>,
    /// The sender, `name@host` in Celery. Only protocol 2 carries it.
    pub origin: Option<String>,
    /// The id of the first message of the chain. `None` for the message's own id, which protocol 1 leaves out.
    /// In protocol 1 it is a key of the body, which Celery reads since version 4 and ignores before.
    pub root_id: Option<String>,
    /// The id of the message whose handler sends this message. In protocol 1 as for `root_id`.
    pub parent_id: Option<String>,
    /// When receivers discard the message. Clocks differ: leave a margin.
    pub expires: Option<SystemTime>,
    /// Receivers hold the message back until this time.
    pub eta: Option<SystemTime>,
    /// How long the broker keeps the message in a queue. Sent in whole milliseconds, from 1 to 2^32 - 1.
    pub expiration: Option<Duration>,
    /// Whether the message survives a restart of the broker: delivery mode 2, else 1.
    pub persistent: bool,
    /// The limit of the body in bytes. `None` for the limit of [`Limits`](crate::Limits).
    pub max_body: Option<usize>,
}

impl EncodeOptions {
    /// `eta` and `expires` in Celery's format.
    pub(super) fn formatted_times(&self) -> Result<(Option<String>, Option<String>), EncodeError> {
        let format =
            |what, at: Option<_>| at.map(|at| timestamp::format(at).ok_or(EncodeError::Time { what })).transpose();
        Ok((format("eta", self.eta)?, format("expires", self.expires)?))
    }
}
