//! A line about one request of a stub.

use std::fmt;

/// A request or a call that a stub received, and its outcome, as text for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StubReport {
    /// The request, without its data and headers.
    pub request: String,
    /// The reply, or why there was none.
    pub outcome: String,
    /// Whether an expectation matched.
    pub is_expected: bool,
}

impl fmt::Display for StubReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.request, self.outcome)
    }
}
