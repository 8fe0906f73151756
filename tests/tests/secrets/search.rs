//! Searches output and log lines for a secret.

use std::error::Error;
use std::fmt::Write;

use log::Level;

use crate::canary::Canary;
use crate::log_lines::{Line, find_line};

/// The text of an error and of all its causes, in `Display` and `Debug`.
pub(crate) fn said(error: &(dyn Error + 'static)) -> String {
    let mut said = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        writeln!(said, "{error}\n{error:?}\n{error:#?}").unwrap();
        next = error.source();
    }
    said
}

/// Asserts that the credentials are neither in `said` nor in any line of the log.
#[track_caller]
pub(crate) fn assert_no_credentials(canary: &Canary, said: &str) {
    search(canary, said, |_| true);
}

/// Asserts that the content of a message is neither in `said`, nor in a line that we logged, nor in a line of a
/// dependency at a level that is on in production.
#[track_caller]
pub(crate) fn assert_no_content(canary: &Canary, said: &str) {
    search(canary, said, |line| line.target.starts_with("zc_events") || line.level <= Level::Info);
}

#[track_caller]
fn search(canary: &Canary, said: &str, concerns: impl Fn(&Line) -> bool) {
    assert!(!said.is_empty(), "there is nothing to search");
    if let Some(form) = canary.form_in(said) {
        panic!("{form}, is in: {said}");
    }
    let found = find_line(canary.since, |line| {
        let form = concerns(line).then(|| canary.form_in(&line.text)).flatten()?;
        Some(format!("{form}, was logged by {} at {}: {}", line.target, line.level, line.text))
    });
    assert!(found.is_none(), "{}", found.unwrap_or_default());
}

#[test]
fn output_and_log_are_searched() {
    use crate::log_lines::{has_heard, listen};
    listen();
    let canary = Canary::new();
    assert_no_credentials(&canary, "nothing of note");
    let heard = |assert: fn(&Canary, &str), canary: &Canary, said: &str| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| assert(canary, said))).is_err()
    };
    assert!(heard(assert_no_credentials, &canary, &canary.encoded()));
    assert!(heard(assert_no_credentials, &canary, ""));
    log::trace!(target: "amiquip::frames", "{:?}", canary.plain().as_bytes());
    assert!(heard(assert_no_credentials, &canary, "x") && !heard(assert_no_content, &canary, "x"));
    log::trace!(target: "zc_events::somewhere", "{}", canary.plain());
    assert!(heard(assert_no_content, &canary, "x"));
    assert!(has_heard("zc_events", &canary.plain()));
}
