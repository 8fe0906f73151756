#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod amqp;
mod broker;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod delivery;
mod error;
mod flow_control;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod inspection;
pub mod memory;
mod quorum_priorities;
mod receipt;
mod subscription;
mod topology;

pub use broker::{Broker, ConsumeOptions, Health, Outgoing};
pub use delivery::{Delivery, Settle, Settler, Verdict};
pub use error::{Error, Result};
pub use inspection::{
    Difference, InspectedExchange, InspectedQueue, Inspection, MissingPermission, Permission, Presence,
};
pub use quorum_priorities::QuorumPriorities;
pub use receipt::{Confirmation, Receipt};
pub use subscription::{Polled, Subscription, wait_until_ready};
pub use topology::{Binding, Exchange, ExchangeKind, Queue, Topology};
