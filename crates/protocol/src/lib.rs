#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod call;
mod call_reply;
mod celery;
pub mod clock;
mod error;
mod error_kind;
mod event;
mod incoming;
mod json;
mod limits;
mod method;
pub mod names;
mod notification;
mod outcome;
mod payload;
mod properties;
mod reply;
mod request;
pub mod resource;
mod rich;
mod task;
mod timestamp;

pub use call::Call;
pub use call_reply::{CallReply, RemoteError};
pub use celery::{EncodeOptions, Encoded, Protocol, UnknownProtocol, peek_event_type};
pub use clock::{Clock, Deadline, ManualClock, SystemClock};
pub use error::{DecodeError, EncodeError};
pub use error_kind::ErrorKind;
pub use event::Event;
pub use incoming::{IncomingCall, IncomingRequest};
pub use limits::Limits;
pub use method::{Method, UnknownMethod};
pub use notification::{Channel, Notification};
pub use outcome::{Outcome, Stage};
pub use payload::to_value;
pub use properties::{HeaderValue, Headers, Properties, size_of_headers};
pub use reply::{REPLY_TTL, Reply, ReplyBody};
pub use request::{Query, ResourceRequest};
pub use task::Task;
