//! The matrix: one file for each row.

mod connection_cut;

use super::Row;

/// In the order in which they run.
pub(super) static ALL: &[&Row] = &[&connection_cut::ROW];
