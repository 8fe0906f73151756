//! All that is logged, by anybody, at any level; and what is said besides.

use std::error::Error;
use std::fmt::Write;
use std::sync::{Mutex, Once, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::canary::Canary;

struct Line {
    level: Level,
    target: String,
    text: String,
}

static LINES: Mutex<Vec<Line>> = Mutex::new(Vec::new());

struct Capture;

impl Log for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = Line { level: record.level(), target: record.target().to_owned(), text: record.args().to_string() };
        LINES.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn flush(&self) {}
}

/// Listens from here on. The tests share what is heard: a secret is its test's own.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Capture).unwrap();
        log::set_max_level(LevelFilter::Trace);
    });
}

/// How many lines were logged so far.
pub(crate) fn count() -> usize {
    LINES.lock().unwrap_or_else(PoisonError::into_inner).len()
}

/// Whether somebody whose target begins with `target` has logged `text`.
pub(crate) fn has_heard(target: &str, text: &str) -> bool {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().any(|line| line.target.starts_with(target) && line.text.contains(text))
}

/// What an error says, and all of its causes, to people and to programmers.
pub(crate) fn said(error: &(dyn Error + 'static)) -> String {
    let mut said = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        writeln!(said, "{error}\n{error:?}\n{error:#?}").unwrap();
        next = error.source();
    }
    said
}

/// The credentials are neither in `said` nor in anything that was logged by anybody.
#[track_caller]
pub(crate) fn assert_no_credentials(canary: &Canary, said: &str) {
    search(canary, said, |_| true);
}

/// What a message carries is neither in `said`, nor in what we logged, nor in what anybody logged at a level that is
/// on in production.
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
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    for line in lines[canary.since..].iter().filter(|line| concerns(line)) {
        if let Some(form) = canary.form_in(&line.text) {
            let text = format!("{form}, was logged by {} at {}: {}", line.target, line.level, line.text);
            drop(lines);
            panic!("{text}");
        }
    }
}

#[test]
fn what_is_said_and_logged_is_searched() {
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
