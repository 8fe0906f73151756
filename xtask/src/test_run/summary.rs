//! The end of a run: which tests failed, and the command that runs each of them alone.

use std::fmt::Write as _;

/// A test that failed, or a program that did.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FailedTest {
    /// The test's name, or what happened to its program.
    pub(super) what: String,
    /// The program, for people.
    pub(super) title: String,
    /// The command that runs it alone.
    pub(super) command: String,
}

impl FailedTest {
    /// One that is not a test program's.
    pub(crate) fn new(what: &str, title: &str, command: &str) -> Self {
        Self { what: what.to_owned(), title: title.to_owned(), command: command.to_owned() }
    }
}

/// How one run of all tests ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) passed: usize,
    pub(crate) failed: Vec<FailedTest>,
}

/// The text at the end of a run. Its last line is the verdict alone: `N passed, N failed`.
pub(crate) fn text(rounds: &[Round]) -> String {
    let mut text = String::new();
    let mut failed: Vec<&FailedTest> = rounds.iter().flat_map(|round| &round.failed).collect();
    failed.sort();
    failed.dedup();
    if !failed.is_empty() {
        text.push_str("\nFailed, and how to run each alone:\n");
    }
    for test in failed {
        let in_rounds: Vec<String> = (1..)
            .zip(rounds)
            .filter(|(_, round)| round.failed.contains(test))
            .map(|(number, _): (usize, _)| number.to_string())
            .collect();
        let when = if rounds.len() > 1 { format!(" (in round {})", in_rounds.join(", ")) } else { String::new() };
        let _ = writeln!(text, "- {} in {}{when}\n    {}", test.what, test.title, test.command);
    }
    if rounds.len() > 1 {
        text.push('\n');
        for (number, round) in (1..).zip(rounds) {
            let _: (usize, _) = (number, writeln!(text, "round {number}: {}", verdict(std::slice::from_ref(round))));
        }
    }
    let _ = write!(text, "\n{}", verdict(rounds));
    text
}

fn verdict(rounds: &[Round]) -> String {
    let (passed, failed) =
        rounds.iter().fold((0, 0), |(passed, failed), it| (passed + it.passed, failed + it.failed.len()));
    format!("{passed} passed, {failed} failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(passed: usize, failed: &[&str]) -> Round {
        let failed = failed.iter().map(|it| FailedTest::new(it, "package::it", &format!("run {it}"))).collect();
        Round { passed, failed }
    }

    #[test]
    fn the_verdict_stands_alone_at_the_end() {
        assert_eq!(text(&[round(3, &[])]), "\n3 passed, 0 failed");
        assert_eq!(
            text(&[round(3, &["b", "a"])]),
            "\nFailed, and how to run each alone:\n- a in package::it\n    run a\n- b in package::it\n    run b\n\n3 passed, 2 failed"
        );
    }

    #[test]
    fn several_rounds_say_when() {
        let text = text(&[round(2, &["a"]), round(3, &[]), round(2, &["a"])]);
        assert!(text.contains("- a in package::it (in round 1, 3)\n"), "{text}");
        assert!(text.ends_with("round 1: 2 passed, 1 failed\nround 2: 3 passed, 0 failed\nround 3: 2 passed, 1 failed\n\n7 passed, 2 failed"), "{text}");
    }
}
