//! The table that is printed at the end, as Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use super::report::Shown;
use super::{Report, Row};

/// One row that was run.
pub(super) struct Ran {
    pub(super) row: &'static Row,
    pub(super) report: Report,
    pub(super) took: Duration,
}

impl Ran {
    pub(super) fn passed(&self) -> bool {
        self.report.failures.is_empty() && self.report.checks > 0
    }
}

/// The whole table, followed by the failed checks.
pub(super) fn render(all: &[Ran], quick: bool, took: Duration) -> String {
    let mut text = String::from("| fault | injected | must hold | figures | took | |\n|---|---|---|---|---|---|\n");
    for ran in all {
        let Row { name, fault, must_hold, .. } = ran.row;
        let figures: Vec<String> = ran.report.figures.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let verdict = if ran.passed() { "pass" } else { "**FAIL**" };
        let _ = writeln!(
            text,
            "| `{name}` | {fault} | {must_hold} | {} | {:.0} s | {verdict} |",
            figures.join("; "),
            ran.took.as_secs_f64()
        );
    }
    let passed = all.iter().filter(|ran| ran.passed()).count();
    let form = if quick { "quick form" } else { "whole" };
    let _ = writeln!(text, "\n{passed} of {} rows passed, {form}, in {}", all.len(), Shown(took));
    for ran in all.iter().filter(|ran| !ran.passed()) {
        let _ = writeln!(text, "\n{} failed:", ran.row.name);
        for failure in &ran.report.failures {
            let _ = writeln!(text, "- {failure}");
        }
        if ran.report.checks == 0 {
            let _ = writeln!(text, "- nothing was checked");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    static ROW: Row = Row { name: "it", fault: "none", must_hold: "all", run: |_, _| Ok(()), child: None };

    fn ran(checks: &[bool]) -> Ran {
        let mut report = Report::default();
        report.figure("lost", 0);
        checks.iter().for_each(|holds| report.check("it holds", *holds));
        Ran { row: &ROW, report, took: Duration::from_secs(3) }
    }

    #[test]
    fn figures_and_verdicts_are_in_it() {
        let text = render(&[ran(&[true]), ran(&[true, false])], true, Duration::from_secs(6));
        assert!(text.contains("| `it` | none | all | lost 0 | 3 s | pass |"), "{text}");
        assert!(text.contains("**FAIL**") && text.contains("1 of 2 rows passed, quick form"), "{text}");
        assert!(text.contains("- it holds"), "{text}");
    }

    #[test]
    fn a_row_that_checks_nothing_has_not_passed() {
        assert!(!ran(&[]).passed());
        assert!(render(&[ran(&[])], false, Duration::ZERO).contains("nothing was checked"));
    }
}
