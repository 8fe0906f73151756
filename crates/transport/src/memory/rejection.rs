//! The errors with which RabbitMQ refuses a call, in its words.

use std::time::Duration;

use super::queue::MemoryQueue;
use crate::{Error, Result};

pub(super) fn no_exchange(name: &str) -> Error {
    rejected(format!("NOT_FOUND - no exchange '{name}': declare it first"))
}

pub(super) fn no_queue(name: &str) -> Error {
    rejected(format!("NOT_FOUND - no queue '{name}': declare it first"))
}

pub(super) fn rejected(why: String) -> Error {
    Error::Rejected { why }
}

/// Refuses an exclusive queue of another connection.
pub(super) fn unlocked(name: &str, queue: &MemoryQueue, connection: u64) -> Result<()> {
    if queue.owner.is_none_or(|owner| owner == connection) {
        return Ok(());
    }
    Err(rejected(format!("RESOURCE_LOCKED - queue '{name}' is exclusive and belongs to another connection")))
}

/// Parses the expiration of a message: milliseconds, in decimal digits.
pub(super) fn expiration(text: &str) -> Result<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u32>() {
        Ok(milliseconds) if digits => Ok(Duration::from_millis(milliseconds.into())),
        _ => Err(rejected(
            "PRECONDITION_FAILED - invalid expiration: it takes a whole number of milliseconds below 2^32, in digits"
                .to_owned(),
        )),
    }
}
