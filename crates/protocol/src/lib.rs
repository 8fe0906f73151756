#![doc = include_str!("../README.md")]
#![warn(missing_debug_implementations)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod call;
mod call_reply;
mod celery;
pub mod clock;
mod decode_error;
mod encode_error;
mod error_kind;
mod event;
mod incoming_call;
mod incoming_request;
mod json;
mod limits;
mod method;
pub mod names;
mod notification;
mod outcome;
mod properties;
mod reply;
mod request;
pub mod resource;
mod snake_case;
mod task;
mod task_message;
pub mod task_router;
mod timestamp;
mod truthiness;

pub use call::Call;
pub use call_reply::{CallReply, RemoteError};
pub use celery::{EncodeOptions, Encoded, Protocol, UnknownProtocol, peek_event_type};
pub use clock::{Clock, Deadline, ManualClock, SystemClock};
pub use decode_error::DecodeError;
pub use encode_error::EncodeError;
pub use error_kind::ErrorKind;
pub use event::Event;
pub use incoming_call::IncomingCall;
pub use incoming_request::IncomingRequest;
pub use json::to_value;
pub use limits::Limits;
pub use method::{Method, UnknownMethod};
pub use notification::{Channel, Notification};
pub use outcome::{Outcome, Stage};
pub use properties::{HeaderValue, Headers, Properties, size_of_headers};
pub use reply::{REPLY_TTL, Reply, ReplyBody};
pub use request::{Query, ResourceRequest};
pub use task::Task;
pub use task_message::{PayloadError, TaskHead, TaskMessage};
