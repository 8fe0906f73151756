#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod client;
pub mod content;
mod email;
mod error;
mod lines;
pub mod metrics;
mod push;
mod rebuild;
mod service;
mod settings;

pub use client::{
    Answer, CallRequest, ClientHealth, EmitReceipt, EventClient, IndexRebuild, Page, Pending, PendingSet, RemoteRequest,
};
pub use email::{Addresses, Email, StoredEmail};
pub use error::{CallFailure, Error, Failure, Result};
pub use push::PushNotification;
pub use rebuild::{RebuildError, RebuildProgress};
pub use service::{
    Context, HandlerError, ResourceView, Retry, Served, Service, ServiceBuilder, ServiceHandle, ServiceHealth, Stopped,
    ViewResult,
};
pub use settings::{Dedup, Settings, SettingsBuilder};

pub use serde_json::Value;
pub use zc_events_protocol::resource::{Document, Identifier, Relationship, Resource, ResourceObject};
pub use zc_events_protocol::{
    Channel, Clock, Deadline, Event, IncomingCall, IncomingRequest, Limits, ManualClock, Method, Outcome, Protocol,
    RemoteError, Stage, SystemClock,
};

/// Compiles the examples of the workspace's README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
