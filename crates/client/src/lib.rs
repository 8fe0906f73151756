#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod client;
pub mod content;
mod error;
mod lines;
pub mod metrics;
mod service;
mod settings;

pub use client::{
    Answer, CallRequest, ClientHealth, EmitReceipt, EventClient, Page, Pending, PendingSet, RemoteRequest,
};
pub use error::{CallFailure, Error, Failure, Result};
pub use service::{
    Context, HandlerError, ResourceView, Retry, Served, Service, ServiceBuilder, ServiceHandle, ServiceHealth, Stopped,
    ViewResult,
};
pub use settings::{Dedup, Settings, SettingsBuilder};

pub use serde_json::Value;
pub use zc_events_protocol::resource::{Document, Identifier, Relationship, Resource, ResourceObject};
pub use zc_events_protocol::{
    Channel, Clock, Deadline, Event, IncomingCall, IncomingRequest, Limits, ManualClock, Method, Outcome, Protocol, RemoteError,
    Stage, SystemClock,
};

/// Compiles the examples of the workspace's README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
