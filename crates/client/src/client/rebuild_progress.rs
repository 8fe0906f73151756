//! The progress of an index rebuild, and the error of one that failed.

use std::fmt;

use crate::Error;

/// The progress of an index rebuild: the batches that are stored, and whose events are confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RebuildProgress {
    /// The number of batches.
    pub batches: u64,
    /// The number of items in them. They are the first items of the iterator.
    pub items: u64,
    /// The number of all batches, if the iterator knows how many items it has.
    pub total_batches: Option<u64>,
    /// The number of all items, if the iterator knows it.
    pub total_items: Option<u64>,
}

/// Why an index rebuild ended before its last batch, and its progress. Batches are emitted in the order of the items, so the
/// first [`RebuildProgress::items`] items were emitted. For the next batch, [`Error::outcome`] of [`RebuildError::error`]
/// says whether its event may have been sent.
///
/// To continue, start with the next item: `items.skip(progress.items)`. `?` converts it into the [`Error`] alone.
#[derive(Debug)]
pub struct RebuildError {
    progress: RebuildProgress,
    error: Error,
}

impl RebuildError {
    pub(crate) fn new(progress: RebuildProgress, error: Error) -> Self {
        Self { progress, error }
    }

    /// The progress before the error.
    #[must_use]
    pub fn progress(&self) -> RebuildProgress {
        self.progress
    }

    /// The error.
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
