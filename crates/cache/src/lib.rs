#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod claim;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
mod health;
mod inspection;
pub mod memory;
mod open;
pub mod redis;
mod store;
mod waiters;

pub use claim::Claim;
pub use error::{Error, Result};
pub use health::StoreHealth;
pub use inspection::StoreInspection;
pub use open::open;
pub use store::{ReplyStore, Taken};
