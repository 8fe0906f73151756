//! What one check found, and how several observations become one finding.

use std::fmt;

use serde::Serialize;

use crate::check::Check;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Status {
    /// Everything is in order.
    Ok,
    /// It works, but needs attention.
    Warning,
    /// It does not work.
    Failed,
    /// The check could not find out.
    Unknown,
    /// The check did not run: something that it needs is missing or failed.
    Skipped,
}

impl Status {
    /// The name, as in JSON: `ok`, `warning`, `failed`, `unknown`, `skipped`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Failed => "failed",
            Status::Unknown => "unknown",
            Status::Skipped => "skipped",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The result of one check. It contains no secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// How the check ended.
    pub status: Status,
    /// What the check saw, on one line.
    pub seen: String,
    /// What to do about it, on one line; `None` if nothing needs to be done.
    pub remedy: Option<String>,
}

impl Finding {
    pub(crate) fn ok(check: Check, seen: impl Into<String>) -> Self {
        Self::new(check, Status::Ok, seen, None)
    }

    pub(crate) fn warning(check: Check, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Status::Warning, seen, Some(remedy.into()))
    }

    pub(crate) fn failed(check: Check, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Status::Failed, seen, Some(remedy.into()))
    }

    pub(crate) fn unknown(check: Check, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Status::Unknown, seen, Some(remedy.into()))
    }

    pub(crate) fn skipped(check: Check, why: impl Into<String>) -> Self {
        Self::new(check, Status::Skipped, why, None)
    }

    /// Servers write parts of the texts: control characters become spaces, so that each text is one line.
    pub(crate) fn new(check: Check, status: Status, seen: impl Into<String>, remedy: Option<String>) -> Self {
        let one_line = |text: String| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self { check, status, seen: one_line(seen.into()), remedy: remedy.map(one_line) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.check, self.status, self.seen)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

/// Combines several observations into one finding: the worst status, and problems before what is in order.
pub(crate) struct FindingBuilder {
    check: Check,
    status: Status,
    seen: Vec<String>,
    remedies: Vec<String>,
    /// How many of `seen` are problems.
    problems: usize,
}

impl FindingBuilder {
    pub(crate) fn new(check: Check) -> Self {
        Self { check, status: Status::Ok, seen: Vec::new(), remedies: Vec::new(), problems: 0 }
    }

    /// Adds something that is in order.
    pub(crate) fn ok(&mut self, seen: impl Into<String>) {
        self.seen.push(seen.into());
    }

    /// Adds a problem and its remedy.
    pub(crate) fn problem(&mut self, status: Status, seen: impl Into<String>, remedy: impl Into<String>) {
        if severity(status) > severity(self.status) {
            self.status = status;
        }
        self.seen.insert(self.problems, seen.into());
        self.problems += 1;
        let remedy = remedy.into();
        if !self.remedies.contains(&remedy) {
            self.remedies.push(remedy);
        }
    }

    pub(crate) fn build(self) -> Finding {
        let remedy = (!self.remedies.is_empty()).then(|| self.remedies.join("; "));
        Finding::new(self.check, self.status, self.seen.join("; "), remedy)
    }
}

fn severity(status: Status) -> u8 {
    match status {
        Status::Ok | Status::Skipped => 0,
        Status::Unknown => 1,
        Status::Warning => 2,
        Status::Failed => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_come_first_and_each_remedy_once() {
        let mut finding = FindingBuilder::new(Check::Queues);
        finding.ok("a");
        finding.problem(Status::Failed, "b", "mend");
        finding.problem(Status::Unknown, "c", "mend");
        let finding = finding.build();
        assert_eq!(
            (finding.status, finding.seen.as_str(), finding.remedy.as_deref()),
            (Status::Failed, "b; c; a", Some("mend"))
        );
    }
}
