#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod check;
mod clock;
mod connectivity;
mod doctor;
mod duration;
mod examination;
mod finding;
mod management_api;
mod queues;
mod reply_store;
mod report;
mod round_trip;
mod settings;
#[cfg(test)]
mod tests;
mod topology;

pub use check::Check;
pub use doctor::Doctor;
pub use finding::{Finding, Status};
pub use report::Report;
