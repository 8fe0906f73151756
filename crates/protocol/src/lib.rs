#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod clock;
mod outcome;
mod properties;
pub mod resource;

pub use clock::{Clock, Deadline, ManualClock, SystemClock};
pub use outcome::{Outcome, Stage};
pub use properties::{HeaderValue, Headers, Properties};
