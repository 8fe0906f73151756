//! How results are printed: for people, or as JSON, one object a line. What stands in them is each command's business.
//! Colours go to terminals that take them (and not where NO_COLOR is set).

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

/// What went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What went wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What stands out.
pub(crate) const BOLD: Style = Style::new().bold();
/// What is there for those who look closely.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    Pretty,
    /// One JSON object a line
    Json,
}

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
}

impl Output {
    /// In the format that was asked for; else for people on a terminal, and JSON elsewhere.
    pub(crate) fn new(asked: Option<Format>) -> Self {
        let usual = if io::stdout().is_terminal() { Format::Pretty } else { Format::Json };
        Self { format: asked.unwrap_or(usual) }
    }

    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// One line of JSON.
    pub(crate) fn json(self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        let mut out = io::stdout().lock();
        out.write_all(&line)?;
        out.flush()
    }

    /// A text for people, with its line end.
    pub(crate) fn text(self, text: impl fmt::Display) -> io::Result<()> {
        let mut out = anstream::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// JSON as it was asked for: on one line, or indented for people.
    pub(crate) fn document(self, value: &serde_json::Value) -> io::Result<()> {
        if self.is_json() {
            return self.json(value);
        }
        let text = serde_json::to_string_pretty(value)?;
        self.text(Plain(&text))
    }
}

/// So many of something: `1 event`, `2 events`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A time as it stands in all output: UTC, to the millisecond.
pub(crate) fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

/// The same to the second.
pub(crate) fn seconds(at: SystemTime) -> String {
    humantime::format_rfc3339_seconds(at).to_string()
}

/// A word on stderr that is no result.
pub(crate) fn note(text: impl fmt::Display) {
    // Where stderr is closed there is nobody to tell.
    let _ = writeln!(anstream::stderr().lock(), "{FAINT}{}{FAINT:#}", Line(&text.to_string()));
}

/// A peer's text on one line, which cannot move a terminal's cursor or change its colours.
pub(crate) struct Line<'a>(pub(crate) &'a str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, self.0, false)
    }
}

/// The same, whose line ends stay.
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
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "batch", "batches")), ["0 batches", "1 batch", "2 batches"]);
    }

    #[test]
    fn a_peer_cannot_write_to_the_terminal() {
        assert_eq!(Line("a\u{1b}[2Jb\nc\u{9b}1m").to_string(), "a\\u001b[2Jb\\u000ac\\u009b1m");
        assert_eq!(Plain("a\nb\u{7f}é").to_string(), "a\nb\\u007fé");
    }
}
