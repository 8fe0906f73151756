//! Prints results: for people, or as JSON with one object per line. Colours go only to terminals, and not if NO_COLOR is set.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

/// Success.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Failure.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Emphasis.
pub(crate) const BOLD: Style = Style::new().bold();
/// Details.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// The output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    Pretty,
    /// One JSON object per line
    Json,
}

/// Prints results to stdout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
}

impl Output {
    /// The default is pretty on a terminal, else JSON.
    pub(crate) fn new(format: Option<Format>) -> Self {
        let default = if io::stdout().is_terminal() { Format::Pretty } else { Format::Json };
        Self { format: format.unwrap_or(default) }
    }

    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Prints one line of JSON.
    pub(crate) fn json(self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        let mut out = io::stdout().lock();
        out.write_all(&line)?;
        out.flush()
    }

    /// Prints a line for people.
    pub(crate) fn text(self, text: impl fmt::Display) -> io::Result<()> {
        let mut out = anstream::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// Prints a JSON document: on one line, or indented for people.
    pub(crate) fn document(self, value: &serde_json::Value) -> io::Result<()> {
        if self.is_json() {
            return self.json(value);
        }
        let text = serde_json::to_string_pretty(value)?;
        self.text(Plain(&text))
    }
}

/// A number and its noun: `1 event`, `2 events`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Formats a time: UTC, with milliseconds.
pub(crate) fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

/// Formats a time: UTC, with seconds.
pub(crate) fn seconds(at: SystemTime) -> String {
    humantime::format_rfc3339_seconds(at).to_string()
}

/// Prints a note to stderr.
pub(crate) fn note(text: impl fmt::Display) {
    // A note is not needed if stderr is closed.
    let _ = writeln!(anstream::stderr().lock(), "{FAINT}{}{FAINT:#}", Line(&text.to_string()));
}

/// A peer's text on one line, with control characters escaped: it cannot move the cursor or change colours.
pub(crate) struct Line<'a>(pub(crate) &'a str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, self.0, false)
    }
}

/// As [`Line`], but keeps line ends.
pub(crate) struct Plain<'a>(pub(crate) &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, self.0, true)
    }
}

fn escaped(f: &mut fmt::Formatter<'_>, text: &str, lines: bool) -> fmt::Result {
    text.chars().try_for_each(|c| match c {
        '\n' if lines => f.write_str("\n"),
        c if c.is_control() => write!(f, "\\u{:04x}", c as u32),
        c => write!(f, "{c}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "batch", "batches")), ["0 batches", "1 batch", "2 batches"]);
    }

    #[test]
    fn control_characters_of_peers_are_escaped() {
        assert_eq!(Line("a\u{1b}[2Jb\nc\u{9b}1m").to_string(), "a\\u001b[2Jb\\u000ac\\u009b1m");
        assert_eq!(Plain("a\nb\u{7f}é").to_string(), "a\nb\\u007fé");
    }
}
