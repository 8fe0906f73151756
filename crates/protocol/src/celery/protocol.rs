//! The versions of Celery's task protocol.

use std::fmt;
use std::str::FromStr;

/// A version of Celery's task protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// Everything is in the body: `{"task": .., "id": .., "args": .., "kwargs": ..}`. Every zc_events sends events so.
    V1,
    /// The arguments are in the body, the rest is in headers. zc_events 0.4 sends calls so.
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
