//! What is a key, for all stores alike. What a store makes of one is its own business.

use super::rejected;
use crate::Result;
use crate::lines::Line;

/// As S3 has it.
const MOST_BYTES: usize = 1024;
/// As file systems have it, for each part.
const MOST_IN_PART: usize = 255;

/// Refuses what is no key; see [`ContentStore`](super::ContentStore).
pub(super) fn check(key: &str) -> Result<()> {
    let why = if key.is_empty() {
        "is empty"
    } else if key.len() > MOST_BYTES {
        "is longer than 1024 bytes"
    } else if key.chars().any(char::is_control) {
        "holds control characters"
    } else if key.split('/').any(str::is_empty) {
        "begins or ends with a slash, or holds two in a row"
    } else if key.split('/').any(|part| part == "." || part == "..") {
        "holds `.` or `..` as a part, which leads elsewhere"
    } else if key.split('/').any(|part| part.len() > MOST_IN_PART) {
        "has a part of more than 255 bytes"
    } else {
        return Ok(());
    };
    Err(rejected(format!("the content key {} {why}: a key is a relative path such as `2026-11-23/1/html`", shown(key))))
}

/// A key as an error shows it: on one line, of bounded length.
pub(super) fn shown(key: &str) -> String {
    format!("`{}`", Line(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn a_bad_key_is_told_with_what_is_wrong_and_on_one_line() {
        for (key, why) in [
            ("", "is empty"),
            ("/etc/passwd", "begins or ends with a slash"),
            ("a/", "begins or ends with a slash"),
            ("a//b", "two in a row"),
            ("a/../../b", "leads elsewhere"),
            (".", "leads elsewhere"),
            ("a\r\nFAKE", "control characters"),
            ("a\0", "control characters"),
            ("a\u{85}", "control characters"),
            (&"x/".repeat(600), "longer than 1024"),
            (&"x".repeat(256), "a part of more than 255"),
        ] {
            let Err(Error::Rejected { why: told, .. }) = check(key) else { panic!("{key:?} was accepted") };
            assert!(told.contains(why) && !told.contains('\n') && told.len() < 500, "{told}");
        }
    }

    #[test]
    fn names_of_all_kinds_are_keys() {
        for key in ["a", "a/b", "...", "..a", "a..", ".a", " ", "ü", "%2e%2e", "a\\b", "~", "a?b#c", &"x".repeat(255)]
        {
            assert!(check(key).is_ok(), "{key}");
        }
    }
}
