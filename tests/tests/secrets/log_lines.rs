//! A logger that records every line of this process, at every level.

use std::sync::{Mutex, Once, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) target: String,
    pub(crate) text: String,
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

/// Starts recording. All tests share the lines; each test has its own secret.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Capture).unwrap();
        log::set_max_level(LevelFilter::Trace);
    });
}

/// The number of lines logged so far.
pub(crate) fn count() -> usize {
    LINES.lock().unwrap_or_else(PoisonError::into_inner).len()
}

/// Whether `text` was logged under a target that begins with `target`.
pub(crate) fn has_heard(target: &str, text: &str) -> bool {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().any(|line| line.target.starts_with(target) && line.text.contains(text))
}

/// Calls `check` with the lines logged after the first `since`, until it returns a value.
pub(crate) fn find_line<T>(since: usize, check: impl FnMut(&Line) -> Option<T>) -> Option<T> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)[since..].iter().find_map(check)
}
