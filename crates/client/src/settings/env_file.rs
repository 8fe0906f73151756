//! Reads a file `.env`. Errors name the line but do not show it, because it may contain a password.

use std::collections::HashMap;
use std::path::Path;

use crate::{Error, Result};

/// Reads the variables in a file.
pub(super) fn read(path: &Path) -> Result<HashMap<String, String>> {
    let place = path.display();
    let bytes = std::fs::read(path).map_err(|error| Error::config(format!("{place} cannot be read: {error}")))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Error::config(format!("{place}, line {line}: its bytes are not UTF-8; save the file as UTF-8"))
    })?;
    // A byte order mark would become part of the first name.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    dotenvy::from_read_iter(text.as_bytes()).collect::<std::result::Result<_, _>>().map_err(|error| {
        let line = match &error {
            dotenvy::Error::LineParse(wrong, _) => line_of(text, wrong),
            _ => None,
        };
        let line = line.map_or_else(String::new, |line| format!(", line {line}"));
        Error::config(format!("{place}{line}: it is not NAME=value (quote values with spaces)"))
    })
}

/// The number of a line that cannot be parsed; of several equal lines, the first.
fn line_of(text: &str, wrong: &str) -> Option<usize> {
    let first = wrong.lines().next()?.trim();
    text.lines().position(|line| line.trim() == first).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> std::result::Result<HashMap<String, String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        std::fs::write(&path, bytes).unwrap();
        read(&path).map_err(|error| error.to_string().replace(&folder.path().display().to_string(), "there"))
    }

    #[test]
    fn an_error_names_the_line_and_does_not_show_it() {
        let text = told(b"# settings\nBROKER_URL=amqp://a:hunter2@b/ # and\n\nwhat is this hunter2\n").unwrap_err();
        assert_eq!(text, "there/.env, line 4: it is not NAME=value (quote values with spaces)");
        let text = told(b"A=1\nB=hunter2\xff\n").unwrap_err();
        assert_eq!(text, "there/.env, line 2: its bytes are not UTF-8; save the file as UTF-8");
    }

    #[test]
    fn comments_quotes_and_a_byte_order_mark_are_read() {
        let read = told("\u{feff}A=1\n# B=2\nexport C='3 4'\n".as_bytes()).unwrap();
        assert_eq!(read, HashMap::from([("A".to_owned(), "1".to_owned()), ("C".to_owned(), "3 4".to_owned())]));
    }
}
