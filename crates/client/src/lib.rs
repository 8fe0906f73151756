#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod client;
mod connections;
mod dead_letters;
mod email;
mod error;
mod jwt;
mod log_fields;
pub mod metrics;
mod observe;
mod push;
mod received_message;
mod remote_failure;
mod sandbox;
mod service;
mod settings;
mod thread;
mod watch;

/// The blob store: a payload that is too large for a message is stored here, and the message carries its key ("claim
/// check"). Bodies and attachments of e-mails and batches of an index rebuild are blobs; see
/// [`EventClient::email_blobs`] and [`EventClient::index_blobs`].
pub mod blobs {
    #[doc(inline)]
    pub use zc_events_blobs::*;
}

pub use client::{
    Answer, CallRequest, ClientHealth, EmitReceipt, EventClient, EventClientBuilder, IndexRebuild, Page, Pages,
    Pending, PendingSet, RebuildError, RebuildProgress, RemoteRequest,
};
pub use dead_letters::{DeadLetter, DeadLetters, Replay, Replayed};
pub use email::{Addresses, Email, StoredEmail};
pub use error::{Error, Result};
pub use jwt::Jwt;
pub use observe::{
    ConnectionSeen, ConsumingChanged, Delivered, EmitEnded, HandlerEnded, HandlerEnding, MessageSent, Observer,
    Replied, ReplyEnding, RequestEnded, Settled, Settlement, Wait, WaitFor,
};
pub use push::PushNotification;
pub use received_message::{Message, MessageKind};
pub use remote_failure::{CallFailure, RemoteFailure};
pub use sandbox::Sandbox;
pub use service::{
    ConsumedQueueSnapshot, Context, HandlerError, Paging, ResourceView, Retry, Served, Service, ServiceBuilder,
    ServiceHandle, ServiceHealth, ServiceMonitor, ServiceSnapshot, Stopped, ViewResult,
};
pub use settings::{Dedup, Environment, SettingSource, Settings, SettingsBuilder};
pub use watch::{Watch, Watched};

pub use serde_json::Value;
pub use zc_events_protocol::resource::{
    DataMember, Document, ErrorObject, Identifier, PrimaryData, Relationship, RelationshipData, RemoteResource,
    Resource, ResourceError, ResourceObject,
};
pub use zc_events_protocol::{
    Channel, Clock, Deadline, ErrorKind, Event, IncomingCall, IncomingRequest, Limits, ManualClock, Method, Outcome,
    Protocol, Query, RemoteError, Stage, SystemClock,
};
pub use {zc_events_cache as cache, zc_events_transport as transport};

/// Compiles the examples of the workspace's README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// Compiles the examples of the page about migrating from Python.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/migrating-from-python.md")]
struct MigratingFromPython;
