//! A row of the matrix.

use std::error::Error;

use super::{Fixture, Report};

/// How a row ends: an error is that it could not be carried out, which counts as failed.
pub type Done = Result<(), Box<dyn Error>>;

/// A fault, and what must hold under it.
pub struct Row {
    /// As `--row` takes it.
    pub name: &'static str,
    /// What is injected.
    pub fault: &'static str,
    /// What must hold.
    pub must_hold: &'static str,
    /// Injects it, and reports.
    pub run: fn(&Fixture, &mut Report) -> Done,
    /// What a child process of this row does (see [`Fixture::child`]), for rows that kill processes.
    pub child: Option<fn() -> Done>,
}
