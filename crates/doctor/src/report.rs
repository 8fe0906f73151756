//! All findings of an examination.

use std::fmt;

use serde::Serialize;

use crate::check::Check;
use crate::finding::{Finding, Status};

/// The findings of an examination, in the order of [`Check`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Report(pub(crate) Vec<Finding>);

impl Report {
    /// All findings.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.0
    }

    /// The finding of this check; `None` if the check was left out.
    #[must_use]
    pub fn finding(&self, check: Check) -> Option<&Finding> {
        self.0.iter().find(|finding| finding.check == check)
    }

    /// Whether no check failed. Warnings, unknown and skipped checks count as healthy.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.0.iter().all(|finding| finding.status != Status::Failed)
    }
}

impl fmt::Display for Report {
    /// One line per finding.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|finding| writeln!(f, "{finding}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_for_people_and_an_object_for_programs() {
        let failed = Finding::failed(Check::Login, "user `u`\nis \u{1b}[31mrefused", "check the password");
        assert_eq!(failed.to_string(), "login: failed: user `u` is  [31mrefused; check the password");
        let report = Report(vec![Finding::ok(Check::Dns, "all"), failed]);
        assert!(!report.is_healthy() && report.finding(Check::Tcp).is_none());
        assert_eq!(
            serde_json::to_value(&report).unwrap()[0],
            serde_json::json!({"check": "dns", "status": "ok", "seen": "all", "remedy": null})
        );
        let report = Report(vec![Finding::skipped(Check::Dns, "x"), Finding::unknown(Check::Tcp, "y", "z")]);
        assert!(report.is_healthy() && report.to_string().ends_with("tcp: unknown: y; z\n"));
    }
}
