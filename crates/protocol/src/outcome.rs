//! The two questions that every failed call is asked: what became of the message, and
//! which stage ran out of time. Shared by the errors of all layers; no error lives here.

use std::fmt;

/// What is known of a message after a call failed.
///
/// ```
/// use zc_events_protocol::{Outcome, Stage};
/// assert_eq!(Stage::Connect.outcome(), Outcome::NotSent);
/// assert_eq!(Stage::Confirm.outcome(), Outcome::Unknown);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Nobody received it: sending it again cannot duplicate it.
    NotSent,
    /// It may have gone out, to all, to some or to none of its receivers.
    Unknown,
    /// The broker has it, or a receiver answered it.
    Delivered,
}

/// The part of a call that a deadline ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Nothing was begun: the deadline that was handed down had passed already.
    Begin,
    /// Opening a connection: TCP, TLS, login.
    Connect,
    /// Waiting for a free channel or connection of a pool.
    Pool,
    /// Waiting until the broker has confirmed enough of the bytes that are out.
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
    /// Closing down.
    Close,
}

impl Stage {
    /// What a timeout in this stage says about the message.
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
            Stage::Begin => "beginning (nothing of it was left)",
            Stage::Connect => "connecting",
            Stage::Pool => "waiting for a free connection",
            Stage::InFlight => "waiting for confirms of earlier messages (the limit of bytes in flight is reached)",
            Stage::Declare => "declaring the topology",
            Stage::Send => "handing the message to the broker",
            Stage::Confirm => "waiting for the broker's confirm",
            Stage::Subscribe => "starting to consume",
            Stage::Reply => "waiting for the answer",
            Stage::StorePool => "waiting for a free connection to the reply store",
            Stage::Store => "talking to the reply store",
            Stage::BlobStore => "waiting for the blob store",
            Stage::Close => "closing",
        })
    }
}
