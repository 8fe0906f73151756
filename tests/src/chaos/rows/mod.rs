//! The matrix: one file for each row.

mod connection_cut;
mod poison;
mod pool_exhausted;
mod redis_full;
mod redis_killed;
mod redis_stalled;

use super::Row;

/// In the order in which they run.
pub(super) static ALL: &[&Row] = &[
    &connection_cut::ROW,
    &redis_killed::ROW,
    &redis_stalled::ROW,
    &redis_full::ROW,
    &pool_exhausted::ROW,
    &poison::ROW,
];
