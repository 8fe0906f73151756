//! How far an index rebuild is, and how one ends that fails. The rebuilding is the client's.

use std::fmt;

use crate::Error;

/// How far an index rebuild is: what is stored, emitted and confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RebuildProgress {
    /// How many batches are out.
    pub batches: u64,
    /// How many items are in them: the first so many.
    pub items: u64,
    /// How many batches there are, where the iterator of the items knows how many these are.
    pub total_batches: Option<u64>,
    /// How many items there are, likewise.
    pub total_items: Option<u64>,
}

/// Why an index rebuild ended before its last batch, and how far it was. Batches are emitted in the order of the items, so
/// those of [`RebuildProgress::items`] are out for certain. Of the batch after them [`Error::outcome`] of
/// [`RebuildError::error`] says whether its event may be out, too.
///
/// To go on, begin with the items behind those: `items.skip(progress.items)`. `?` turns it into the [`Error`] alone.
#[derive(Debug)]
pub struct RebuildError {
    progress: RebuildProgress,
    error: Error,
}

impl RebuildError {
    pub(crate) fn new(progress: RebuildProgress, error: Error) -> Self {
        Self { progress, error }
    }

    /// What is out.
    #[must_use]
    pub fn progress(&self) -> RebuildProgress {
        self.progress
    }

    /// Why it ended.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.error
    }
}

impl fmt::Display for RebuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RebuildProgress { batches, items, .. } = self.progress;
        write!(f, "the index rebuild ended after {batches} batches of {items} items: {}", self.error)
    }
}

impl std::error::Error for RebuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

impl From<RebuildError> for Error {
    fn from(ended: RebuildError) -> Self {
        ended.error
    }
}
