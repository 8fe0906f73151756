//! Two facts about every failed call: what happened to the message, and which stage ran out of time.
//! The errors of all layers share them; the errors themselves stand in their own crates.

use std::fmt;

/// What is known about a message after a call failed.
///
/// ```
/// use zc_events_protocol::{Outcome, Stage};
/// assert_eq!(Stage::Connect.outcome(), Outcome::NotSent);
/// assert_eq!(Stage::Confirm.outcome(), Outcome::Unknown);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// No receiver has it: sending it again cannot duplicate it.
    NotSent,
    /// It may have reached all, some or none of its receivers. Sending it again may duplicate it.
    Unknown,
    /// The broker has it, or a receiver has answered it.
    Delivered,
}

/// The part of a call that a deadline ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Nothing was started: the deadline had already passed.
    Begin,
    /// Opening a connection: TCP, TLS and login.
    Connect,
    /// Waiting for a free channel or connection of a pool.
    Pool,
    /// Waiting until the broker confirms earlier messages: the limit of unconfirmed bytes is reached.
    InFlight,
    /// Declaring exchanges, queues and bindings.
    Declare,
    /// Handing the message to the broker.
    Send,
    /// Waiting for the broker's confirm.
    Confirm,
    /// Starting to consume.
    Subscribe,
    /// Waiting for the answer of another service.
    Reply,
    /// Waiting for a free connection to the reply store, after the request was sent.
    StorePool,
    /// Reading from or writing to the reply store.
    Store,
    /// Storing, fetching or deleting a blob, such as the body of an e-mail. No message that names it was sent yet.
    BlobStore,
    /// Closing.
    Close,
}

impl Stage {
    /// What a timeout in this stage means for the message.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Stage::Send | Stage::Confirm | Stage::Reply | Stage::Store | Stage::StorePool => Outcome::Unknown,
            _ => Outcome::NotSent,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Begin => "starting (no time was left)",
            Stage::Connect => "connecting",
            Stage::Pool => "waiting for a free connection",
            Stage::InFlight => "waiting for confirms of earlier messages (the limit of unconfirmed bytes is reached)",
            Stage::Declare => "declaring the topology",
            Stage::Send => "handing the message to the broker",
            Stage::Confirm => "waiting for the broker's confirm",
            Stage::Subscribe => "starting to consume",
            Stage::Reply => "waiting for the answer",
            Stage::StorePool => "waiting for a free connection to the reply store",
            Stage::Store => "talking to the reply store",
            Stage::BlobStore => "talking to the blob store",
            Stage::Close => "closing",
        })
    }
}
