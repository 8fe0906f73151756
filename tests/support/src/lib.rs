//! What the tests of all crates share: waiting for a condition, running a test in a process of its own, and running the
//! shell sessions of a document. It knows no crate of the workspace, so that each of them can use it.

#![allow(missing_debug_implementations, reason = "not published: only the tests of this workspace use it")]

pub mod console;
mod eventually;
mod own_process;

pub use eventually::{Condition, eventually, wait_until};
pub use own_process::in_own_process;
