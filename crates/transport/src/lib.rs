#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod amqp;
mod broker;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod delivery;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod inspection;
pub mod memory;
mod receipt;
mod subscription;
mod topology;

pub use broker::{Broker, ConsumeOptions, Health, Outgoing};
pub use delivery::{Delivery, Settle, Settler, Verdict};
pub use error::{Error, Result};
pub use inspection::{Difference, InspectedExchange, InspectedQueue, Inspection, Lack, Right, Standing};
pub use receipt::{Confirmation, Receipt};
pub use subscription::{Polled, Subscription, wait_until_ready};
pub use topology::{Binding, Exchange, ExchangeKind, Queue, Topology};
