//! The `zc-events` command against real servers: each command, its sessions in docs/cli.md, and its failures. Tests without a
//! server are in the command's crate.

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
