#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
pub mod memory;
mod open;
pub mod redis;
mod store;

pub use error::{Error, Result};
pub use open::open;
pub use store::ReplyStore;
