//! JSON of messages and replies, in both directions.

mod parse;
mod syntax;
mod to_value;
mod value_check;

pub(crate) use parse::parse;
pub use to_value::to_value;
pub(crate) use to_value::{check_depth, to_bytes};
