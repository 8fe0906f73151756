//! Files small enough to read, each saying first what it holds.

use super::finding::Finding;
use super::tree::Tree;

/// About 200 is the habit; from here on a file holds more than one noun.
const MOST_LINES: usize = 600;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let lines = file.text.lines().count();
        if lines > MOST_LINES {
            let text = format!("{lines} lines, {MOST_LINES} at most: split it by what its parts are about");
            findings.push(Finding::new(&file.path, 0, text));
        }
        // A crate may take its words from its README.
        if !file.text.starts_with("//!") && !file.text.starts_with("#![doc") {
            let text = "begins without `//!`: say first what lives here and what may not";
            findings.push(Finding::new(&file.path, 1, text));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        check(&Tree::made_up(&[("src/a.rs", text)])).len()
    }

    #[test]
    fn a_file_is_short_and_says_what_it_holds() {
        assert_eq!(found(&format!("//! A.\n{}", "fn f() {}\n".repeat(599))), 0);
        assert_eq!(found(&format!("//! A.\n{}", "fn f() {}\n".repeat(600))), 1);
        assert_eq!(found("#![doc = include_str!(\"../README.md\")]\n"), 0);
        assert_eq!(found("use std::fmt;\n"), 1);
        assert_eq!(found("// Not documentation.\n"), 1);
        assert_eq!(found(""), 1);
    }
}
