//! The matrix: one file for each row.

mod connection_cut;
mod killing_handler;
mod queue_deleted;
mod retry_target;
mod stuck_handler;
mod unroutable_nacked;
mod worker_crash;

use super::Row;

/// In the order in which they run.
pub(super) static ALL: &[&Row] = &[
    &connection_cut::ROW,
    &unroutable_nacked::ROW,
    &worker_crash::ROW,
    &killing_handler::ROW,
    &stuck_handler::ROW,
    &queue_deleted::ROW,
    &retry_target::ROW,
];
