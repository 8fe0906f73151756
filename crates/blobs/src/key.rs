//! The keys of blobs: which are valid, for all stores alike, and how an error shows one.

use std::fmt::Write;

use crate::{Error, Result};

/// S3's limit.
const MAX_BYTES: usize = 1024;
/// The limit of file systems for each part.
const MAX_PART_BYTES: usize = 255;

/// Refuses an invalid key; see [`BlobStore`](crate::BlobStore).
pub(crate) fn check(key: &str) -> Result<()> {
    let why = if key.is_empty() {
        "is empty"
    } else if key.len() > MAX_BYTES {
        "is longer than 1024 bytes"
    } else if key.chars().any(char::is_control) {
        "contains control characters"
    } else if key.split('/').any(str::is_empty) {
        "starts or ends with a slash, or contains two in a row"
    } else if key.split('/').any(|part| part == "." || part == "..") {
        "contains the part `.` or `..`"
    } else if key.split('/').any(|part| part.len() > MAX_PART_BYTES) {
        "has a part of more than 255 bytes"
    } else {
        return Ok(());
    };
    Err(Error::rejected(format!("the blob key {} {why}: use a relative path such as `2026-11-23/1/html`", shown(key))))
}

/// A key as an error shows it: on one line, of bounded length.
pub(crate) fn shown(key: &str) -> String {
    const MAX_CHARS: usize = 200;
    let mut text = String::from("`");
    for (count, c) in key.chars().enumerate() {
        if count == MAX_CHARS {
            text.push_str("...");
            break;
        }
        if c.is_control() {
            // Writing to a string does not fail.
            let _ = write!(text, "{}", c.escape_default());
        } else {
            text.push(c);
        }
    }
    text.push('`');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_says_what_is_wrong_with_a_key_on_one_line() {
        for (key, why) in [
            ("", "is empty"),
            ("/etc/passwd", "starts or ends with a slash"),
            ("a/", "starts or ends with a slash"),
            ("a//b", "two in a row"),
            ("a/../../b", "`..`"),
            (".", "`.`"),
            ("a\r\nFAKE", "control characters"),
            ("a\0", "control characters"),
            ("a\u{85}", "control characters"),
            (&"x/".repeat(600), "longer than 1024"),
            (&"x".repeat(256), "a part of more than 255"),
        ] {
            let Err(Error::Rejected { why: told }) = check(key) else { panic!("{key:?} was accepted") };
            assert!(told.contains(why) && !told.contains('\n') && told.len() < 500, "{told}");
        }
    }

    #[test]
    fn unusual_names_are_valid_keys() {
        for key in ["a", "a/b", "...", "..a", "a..", ".a", " ", "ü", "%2e%2e", "a\\b", "~", "a?b#c", &"x".repeat(255)]
        {
            assert!(check(key).is_ok(), "{key}");
        }
    }
}
