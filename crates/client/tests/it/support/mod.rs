//! What the tests of several features share. No test is here.

mod counted;
mod manual_fleet;
mod queues;
pub(crate) mod vectors;
pub(crate) mod wire_tap;

pub(crate) use counted::{Counted, serve_counted};
pub(crate) use manual_fleet::{ManualFleet, PATIENCE, eventually};
pub(crate) use queues::{DEAD, QUARANTINE, QUEUE, declare_full, header, nothing, reason};
