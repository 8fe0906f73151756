//! The `zc-events` command against real servers: each command, what docs/cli.md shows of it, and what it says when
//! something is wrong. What needs no server is tested in its own crate.

mod adversity;
mod asking;
mod docs;
mod emitting;
mod examining;
mod letters;
mod listening;
mod measuring;
mod rebuilding;
mod standing_in;
