//! What the tests of several features share. No test is here.

mod manual_fleet;
pub(crate) mod vectors;
pub(crate) mod wire_tap;

pub(crate) use manual_fleet::{ManualFleet, PATIENCE, eventually};
