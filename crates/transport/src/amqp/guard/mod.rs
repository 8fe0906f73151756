//! Checks what the broker sends before amiquip's parser sees it. Inbound bytes are read frame by frame, and only whole,
//! checked frames pass. Without it, any publisher could end the connection again and again, since the broker requeues
//! the message:
//!
//! - amiquip overflows its stack on deeply nested headers.
//! - It allocates as much memory as the peer announces.
//! - It silently drops all headers from the first that it cannot read.
//! - It ends the whole connection because of one byte that is not UTF-8.
//!
//! A message whose properties amiquip cannot read gets harmless ones, which name the defect (`defect_header`). It
//! arrives as a delivery and can be dead-lettered. A frame that only a broken broker would send ends the connection
//! with a reason (`frame`).

mod bytes;
mod defect_header;
mod filter;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod harness;
mod header;
mod method;
mod stream;
mod table;

#[cfg(test)]
mod tests;

pub(super) use defect_header::GuardReport;
pub(super) use stream::GuardedStream;

/// The frame size that the client requests, in bytes: RabbitMQ's default. No larger frame is kept in memory, whatever
/// the broker offers.
pub(super) const FRAME_MAX: u32 = 128 * 1024;
