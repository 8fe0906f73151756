//! What stands between the socket and amiquip's parser. Inbound bytes are read frame by
//! frame, and only whole, checked frames go on: amiquip overflows its stack on deeply
//! nested headers, allocates what a peer declares, drops headers silently from the first
//! that it cannot read, and gives the whole connection up over one byte that is not UTF-8.
//! All of that can be had by anybody who may publish, again and again, since the broker
//! puts the message back.
//!
//! So a message whose properties amiquip could not read is given harmless ones, which say
//! what was wrong (`seal`); it arrives as a delivery and can be dead-lettered. What only a
//! broken broker would send ends the connection, with its reason (`frame`).

mod bytes;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod drive;
mod filter;
mod frame;
mod header;
mod method;
mod seal;
mod stream;
mod table;

#[cfg(test)]
mod tests;

pub(super) use seal::Watch;
pub(super) use stream::GuardedStream;

/// The frame size that is asked for, in bytes: RabbitMQ's own default. Whatever the broker
/// offers, no frame that is larger is kept in memory.
pub(super) const FRAME_MAX: u32 = 128 * 1024;
