//! One thing out of place.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing out of place.
#[derive(Debug)]
pub(super) struct Finding {
    /// From the root.
    pub(super) path: PathBuf,
    /// 0 where the whole file is meant.
    line: usize,
    /// What is wrong and what to do.
    text: String,
}

impl Finding {
    pub(super) fn new(path: &Path, line: usize, text: impl Into<String>) -> Self {
        Finding { path: path.to_path_buf(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path.display(), self.text),
            line => write!(f, "{}:{line}: {}", self.path.display(), self.text),
        }
    }
}

/// The text of each finding, for comparing.
#[cfg(test)]
pub(super) fn texts(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(Finding::to_string).collect()
}
