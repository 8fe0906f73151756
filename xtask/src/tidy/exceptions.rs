//! What may still be out of place, until it has been moved or renamed. The table only shrinks: an exception that is not
//! needed any more is a finding.

use std::path::Path;

use crate::tidy::finding::Finding;

/// The checks that know exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    Imports,
    TestKit,
    FileNames,
    PublicTypes,
    BannedWords,
}

/// A check, the beginning of a path for which it does not count yet, and why.
type Exception = (Check, &'static str, &'static str);

const EXCEPTIONS: &[Exception] = &[];

/// This file.
const HERE: &str = "xtask/src/tidy/exceptions.rs";

/// The findings that no exception allows, and the exceptions that allow none.
pub(super) fn without_allowed(findings: impl IntoIterator<Item = (Check, Vec<Finding>)>) -> Vec<Finding> {
    apply(EXCEPTIONS, findings)
}

fn apply(exceptions: &[Exception], findings: impl IntoIterator<Item = (Check, Vec<Finding>)>) -> Vec<Finding> {
    let mut needed = vec![false; exceptions.len()];
    let mut left = Vec::new();
    for (check, findings) in findings {
        for finding in findings {
            let path = finding.path.to_string_lossy();
            let allowed = exceptions.iter().position(|(it, place, _)| *it == check && path.starts_with(place));
            match allowed {
                Some(index) => needed[index] = true,
                None => left.push(finding),
            }
        }
    }
    for ((check, place, _), _) in exceptions.iter().zip(needed).filter(|(_, needed)| !needed) {
        let text = format!("the exception {check:?} for {place} is not needed any more: remove it");
        left.push(Finding::new(Path::new(HERE), 0, text));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(exceptions: &[Exception]) -> Vec<String> {
        let at = |path: &str| Finding::new(Path::new(path), 0, "it");
        let findings = [(Check::Imports, vec![at("crates/a/src/x.rs"), at("crates/b/src/x.rs")])];
        apply(exceptions, findings).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn an_exception_allows_its_check_in_its_place() {
        assert_eq!(left(&[(Check::Imports, "crates/a/", "why")]), ["crates/b/src/x.rs: it"]);
    }

    #[test]
    fn an_exception_that_is_not_needed_is_found() {
        for exception in [(Check::Imports, "crates/c/", "why"), (Check::TestKit, "crates/a/", "why")] {
            let left = left(&[exception]);
            assert_eq!(left.len(), 3);
            assert!(left[2].contains("is not needed any more"), "{left:?}");
        }
    }

    #[test]
    fn every_exception_has_a_reason() {
        for (_, place, why) in EXCEPTIONS {
            assert!(why.split_whitespace().count() >= 3, "{place}");
        }
    }
}
