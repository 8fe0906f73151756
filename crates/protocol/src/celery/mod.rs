//! The envelope of a message: Celery's task protocols 1 and 2, in both directions. The kinds of message
//! (`Event`, `Call`, ...) say what an envelope carries.

mod body_fields;
pub(crate) mod compression;
mod content_type;
mod decode;
mod decode_v1;
mod decode_v2;
mod encode;
mod encode_options;
mod encode_v1;
mod encode_v2;
mod encoded;
mod envelope;
mod header_fields;
mod kombu_types;
mod peek_event_type;
mod protocol;
mod python_repr;

pub(crate) use encode::encode;
pub use encode_options::EncodeOptions;
pub use encoded::Encoded;
pub(crate) use envelope::{Args, Envelope, Kwargs};
pub use peek_event_type::peek_event_type;
pub use protocol::{Protocol, UnknownProtocol};
