//! Values on the command line: JSON in place, from a file or from stdin; pairs; durations.

use std::io::Read as _;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use serde_json::{Map, Value};

use crate::exit::Exit;
use crate::failure::Failure;

/// What some editors put in front of a text.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';
/// What is wrong with a text that begins so.
pub(crate) const MARKED: &str =
    "begins with a byte order mark, which JSON has none of: save it as UTF-8 without one (BOM)";

/// JSON: as it is, `@file`, or `-` for stdin.
#[derive(Clone, Debug)]
pub(crate) enum Json {
    Text(String),
    File(String),
    Stdin,
}

impl Json {
    /// For clap; nothing is read yet.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Ok(match (text, text.strip_prefix('@')) {
            ("-", _) => Json::Stdin,
            (_, Some(path)) => Json::File(path.to_owned()),
            _ => Json::Text(text.to_owned()),
        })
    }

    /// Reads it.
    pub(crate) fn read(&self, what: &str) -> Result<Value, Failure> {
        let cannot = |error: std::io::Error| Failure::new(Exit::Usage, format!("{what} cannot be read: {error}"));
        let text = match self {
            Json::Text(text) => text.clone(),
            Json::File(path) => std::fs::read_to_string(path).map_err(|error| cannot(error).about(path))?,
            Json::Stdin => {
                let mut text = String::new();
                std::io::stdin().lock().read_to_string(&mut text).map_err(cannot)?;
                text
            }
        };
        json(what, &text)
    }

    /// Reads it, where it has to be an object.
    pub(crate) fn read_object(&self, what: &str) -> Result<Map<String, Value>, Failure> {
        match self.read(what)? {
            Value::Object(object) => Ok(object),
            _ => Err(Failure::usage(format!("{what} is to be an object, such as {{\"resource_id\": 5}}"))),
        }
    }
}

/// A text as JSON. What is wrong is told without showing it.
pub(crate) fn json(what: &str, text: &str) -> Result<Value, Failure> {
    if text.starts_with(BYTE_ORDER_MARK) {
        return Err(Failure::usage(format!("{what} {MARKED}")));
    }
    serde_json::from_str(text).map_err(|error| {
        Failure::usage(format!("{what} is not JSON: {error}"))
            .hint("a text is \"in double quotes\", within the shell's '..'")
    })
}

/// A name, for clap: anything but nothing.
pub(crate) fn name() -> NonEmptyStringValueParser {
    NonEmptyStringValueParser::new()
}

/// `name=value`, for clap.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("use name=value".to_owned()),
    }
}

/// `500ms`, `5s`, `2m`, for clap. Above 0.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) | Err(_) => Err("use a number with a unit, above 0, such as 500ms, 5s or 2m".to_owned()),
        Ok(duration) => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_are_something() {
        for (text, millis) in [("500ms", 500), ("5s", 5_000), ("2m", 120_000), ("1m 30s", 90_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "0s", "-1s", "soon", "5 parsecs"] {
            assert!(duration(text).unwrap_err().contains("500ms, 5s or 2m"), "{text}");
        }
    }

    #[test]
    fn pairs_have_a_name_and_may_have_more_of_the_sign() {
        assert_eq!(pair("filter[name]=a=b"), Ok(("filter[name]".to_owned(), "a=b".to_owned())));
        assert_eq!(pair("a="), Ok(("a".to_owned(), String::new())));
        assert!(pair("a").is_err() && pair("=a").is_err());
    }

    #[test]
    fn json_is_read_from_where_it_is_and_told_without_being_shown() {
        let read = |text: &str| Json::parse(text).unwrap().read("--data");
        assert_eq!(read("{\"a\": 1}").unwrap()["a"], 1);
        let failure = read("{\"password\": hunter2}").unwrap_err();
        assert!(failure.text().starts_with("--data is not JSON: ") && !failure.text().contains("hunter2"));
        assert!(read("\u{feff}{}").unwrap_err().text().contains("byte order mark"));
        assert!(read("@/no/such/file").unwrap_err().text().contains("/no/such/file"));
        assert!(Json::parse("[1]").unwrap().read_object("--kwargs").unwrap_err().text().contains("object"));
    }
}
