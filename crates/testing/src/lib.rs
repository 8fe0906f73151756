#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod current_message;
mod expectation;
mod expectation_format;
mod expectations;
mod faults;
mod fleet;
mod fleet_records;
mod fleet_time;
mod harness;
mod harness_observer;
mod quiescence;
mod received_request;
mod reply;
mod request_matcher;
mod responder;
mod settled_message;
mod stub;
mod stub_queue;
mod stub_report;
mod time;

pub use expectation::Expectation;
pub use expectations::Expectations;
pub use fleet::Fleet;
pub use settled_message::SettledMessage;
pub use stub::Stub;
pub use stub_report::StubReport;
pub use zc_events_transport::memory::SendFault;
