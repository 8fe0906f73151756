//! The matrix: one file for each row.

mod broker_crash;
mod connection_cut;
mod forced_close;
mod half_open;
mod memory_alarm;
mod sliced_writes;
mod slow_drip;

use super::Row;

/// In the order in which they run.
pub(super) static ALL: &[&Row] = &[
    &connection_cut::ROW,
    &broker_crash::ROW,
    &forced_close::ROW,
    &half_open::ROW,
    &slow_drip::ROW,
    &sliced_writes::ROW,
    &memory_alarm::ROW,
];
