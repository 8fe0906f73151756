//! Work left undone, tests that do not run, and tests that wait for time instead of for what they test.
//!
//! Where a test must sleep all the same, the line or the one before says why:
//! `// tidy: allow(thread::sleep) because ...`.

use super::finding::Finding;
use super::source::{line_of, words};
use super::tree::{File, Tree};

/// Spelt in halves, so that this file does not find itself.
const UNDONE: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const SLEEP: &str = "sleep";
const ALLOWED: &str = "tidy: allow(thread::sleep)";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for word in UNDONE {
            findings.extend(words(&file.text, word).map(|offset| {
                let text = format!("{word}: do it, or write down elsewhere that it is to be done");
                Finding::new(&file.path, line_of(&file.text, offset), text)
            }));
        }
    }
    for file in tree.rust() {
        let code = file.code();
        findings.extend(code.match_indices("#[ignore").map(|(offset, _)| {
            let text = "an ignored test: let it run, or remove it";
            Finding::new(&file.path, line_of(code, offset), text)
        }));
        let lines: Vec<&str> = file.text.lines().collect();
        for offset in words(code, SLEEP).filter(|offset| *offset >= tests_begin(file, code)) {
            let line = line_of(code, offset);
            if is_a_threads(code, offset) && !lines[line.saturating_sub(2)..line].iter().any(|line| is_allowed(line)) {
                let text = "a test that sleeps: wait for the condition (`eventually`), or move a ManualClock";
                findings.push(Finding::new(&file.path, line, text));
            }
        }
    }
    findings
}

/// Whether the word at `offset` is the thread's, called or imported; a clock has a `sleep` of its own.
fn is_a_threads(code: &str, offset: usize) -> bool {
    let before = code[..offset].trim_end();
    let grouped = before.rfind("thread::{").is_some_and(|group| !before[group..].contains('}'));
    before.ends_with("thread::") || grouped
}

/// Where in a file its tests begin: 0 for a file of tests, its end where it has none.
fn tests_begin(file: &File, code: &str) -> usize {
    let path = file.path.to_string_lossy();
    if path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs") {
        return 0;
    }
    code.find("#[cfg(test)]\nmod ").unwrap_or(code.len())
}

/// Whether the line holds the permission, with a reason behind it.
fn is_allowed(line: &str) -> bool {
    line.split_once(ALLOWED).is_some_and(|(_, reason)| reason.split_whitespace().count() >= 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Tree::made_up(&[(path, text)])).len()
    }

    #[test]
    fn undone_work_is_found_everywhere() {
        for word in UNDONE {
            assert_eq!(found("src/a.rs", &format!("//! A.\n// {word}: later")), 1);
            assert_eq!(found("README.md", &format!("{word} write this")), 1);
        }
        assert_eq!(found("src/a.rs", "const MASTODON: u8 = 1;"), 0);
    }

    #[test]
    fn an_ignored_test_is_found() {
        assert_eq!(found("src/a.rs", "#[test]\n#[ignore]\nfn f() {}"), 1);
        assert_eq!(found("src/a.rs", "#[ignore = \"slow\"]\nfn f() {}"), 1);
        assert_eq!(found("src/a.rs", "// #[ignore]\nfn f() {}"), 0);
    }

    #[test]
    fn a_test_that_sleeps_is_found() {
        let call = "fn f() { std::thread::sleep(x); }";
        assert_eq!(found("tests/tests/a.rs", call), 1);
        assert_eq!(found("crates/client/tests/a.rs", "use std::thread::sleep;\nfn f() { sleep(x); }"), 1);
        assert_eq!(found("crates/client/tests/a.rs", "use std::thread::{self, sleep};"), 1);
        assert_eq!(found("src/a/tests.rs", call), 1);
        assert_eq!(found("src/a.rs", &format!("#[cfg(test)]\nmod tests {{ {call} }}")), 1);
    }

    #[test]
    fn sleeping_outside_tests_or_with_a_reason_is_fine() {
        assert_eq!(found("src/a.rs", "fn f() { std::thread::sleep(x); }\n#[cfg(test)]\nmod tests {}"), 0);
        assert_eq!(found("src/a.rs", "#[cfg(test)]\nmod tests { fn f() { sleep() } // thread::sleep()\n }"), 0);
        assert_eq!(found("tests/tests/a.rs", "fn f() { clock.sleep(x); Clock::sleep(&clock, x); }"), 0);
        let allowed = |reason: &str| format!("// {ALLOWED} {reason}\nfn f() {{ std::thread::sleep(x); }}");
        assert_eq!(found("tests/tests/a.rs", &allowed("because the subject is time")), 0);
        assert_eq!(found("tests/tests/a.rs", &allowed("")), 1);
    }
}
