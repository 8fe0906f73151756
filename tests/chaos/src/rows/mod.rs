//! The matrix: one file for each row.

mod broker_crash;
mod connection_cut;
mod forced_close;
mod half_open;
mod killing_handler;
mod memory_alarm;
mod poison;
mod pool_exhausted;
mod queue_deleted;
mod redis_full;
mod redis_killed;
mod redis_stalled;
mod retry_target;
mod same_in_memory;
mod sliced_writes;
mod slow_drip;
mod stuck_handler;
mod unroutable_nacked;
mod worker_crash;

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
    &same_in_memory::ROW,
    &unroutable_nacked::ROW,
    &queue_deleted::ROW,
    &worker_crash::ROW,
    &killing_handler::ROW,
    &stuck_handler::ROW,
    &retry_target::ROW,
    &redis_killed::ROW,
    &redis_stalled::ROW,
    &redis_full::ROW,
    &pool_exhausted::ROW,
    &poison::ROW,
];
