//! A message that a service of the fleet settled.

use zc_events::Settlement;

/// A message of the fleet, and how a service settled it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettledMessage {
    /// The service.
    pub service: String,
    /// The event type, or the key of a call; `unknown` if it could not be read.
    pub event_type: String,
    /// The id in the envelope, if it could be read.
    pub id: Option<String>,
    /// How it was settled.
    pub settlement: Settlement,
}
