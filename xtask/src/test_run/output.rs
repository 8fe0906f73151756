//! What a test program prints, read: how many tests passed, and which failed.

/// How the tests of one program ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) passed: usize,
    /// As the program counts them.
    pub(super) failed: usize,
    /// Each with the library whose doctest it is; None in an ordinary program.
    pub(super) names: Vec<(Option<String>, String)>,
    /// Tests that ran for more than a minute and were not seen to end.
    pub(super) unfinished: Vec<String>,
    /// Whether the program came to its last line.
    pub(super) is_complete: bool,
}

/// Reads the output of a program built with Rust's own test library, or that of `cargo test --doc`.
pub(super) fn read(text: &str) -> Counted {
    let mut counted = Counted::default();
    let mut library = None;
    // The names stand in the last list that is called "failures:" before the result.
    let mut listed: Option<Vec<String>> = None;
    for line in text.lines() {
        if let Some(name) = line.trim_start().strip_prefix("Doc-tests ") {
            library = Some(name.trim().to_owned());
        } else if line.starts_with("running ") {
            counted.is_complete = false;
        } else if line == "failures:" {
            listed = Some(Vec::new());
        } else if let Some((passed, failed)) = result(line) {
            counted.passed += passed;
            counted.failed += failed;
            counted.is_complete = true;
            let names = listed.take().unwrap_or_default();
            counted.names.extend(names.into_iter().map(|name| (library.clone(), name)));
        } else if let (Some(names), Some(name)) = (&mut listed, line.strip_prefix("    ")) {
            names.push(name.to_owned());
        } else if let Some(test) = line.strip_prefix("test ") {
            if let Some((name, _)) = test.split_once(" has been running for over") {
                counted.unfinished.push(name.to_owned());
            } else if let Some((name, _)) = test.rsplit_once(" ... ") {
                counted.unfinished.retain(|it| it != name);
            }
        }
    }
    counted
}

/// The numbers in `test result: ok. 5 passed; 0 failed; ...`.
fn result(line: &str) -> Option<(usize, usize)> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count =
        |what: &str| counts.split("; ").find_map(|part| part.trim().strip_suffix(what)?.trim().parse::<usize>().ok());
    Some((count("passed")?, count("failed")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: &str = "\nrunning 3 tests\ntest a::good ... ok\ntest a::bad ... FAILED\ntest worse ... FAILED\n\n\
        failures:\n\n---- a::bad stdout ----\nthread panicked\n    at here\n\n---- worse stdout ----\nfailures:\n    not one\n\n\
        failures:\n    a::bad\n    worse\n\n\
        test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.01s\n";

    #[test]
    fn every_failed_test_is_named() {
        let counted = read(FAILED);
        assert_eq!((counted.passed, counted.failed, counted.is_complete), (1, 2, true));
        assert_eq!(counted.names, [(None, "a::bad".to_owned()), (None, "worse".to_owned())]);
    }

    #[test]
    fn doctests_are_named_with_their_library() {
        let good = "running 1 test\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let text = format!("   Doc-tests zc_events\n{good}   Doc-tests zc_other\n{FAILED}all doctests ran in 2.0s\n");
        let counted = read(&text);
        assert_eq!((counted.passed, counted.failed), (2, 2));
        assert_eq!(counted.names[0], (Some("zc_other".to_owned()), "a::bad".to_owned()));
    }

    #[test]
    fn a_program_that_died_is_not_complete_and_its_slow_tests_are_known() {
        let text = "running 2 tests\ntest slow has been running for over 60 seconds\n\
                    test late has been running for over 60 seconds\ntest late ... ok\n";
        let counted = read(text);
        assert!(!counted.is_complete);
        assert_eq!(counted.unfinished, ["slow"]);
        assert!(!read("").is_complete);
    }
}
