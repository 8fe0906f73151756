//! The matrix: one file for each row.

mod broker_crash;
mod connection_cut;
mod forced_close;

use super::Row;

/// In the order in which they run.
pub(super) static ALL: &[&Row] = &[&connection_cut::ROW, &broker_crash::ROW, &forced_close::ROW];
