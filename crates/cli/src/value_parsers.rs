//! Parsers of values on the command line: JSON (in place, from a file or from stdin), pairs, whole numbers, durations.

use std::io::Read as _;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use serde_json::{Map, Value};

use crate::exit::Exit;
use crate::failure::Failure;

/// Some editors write it at the beginning of a file.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';
/// The error of a text with a byte order mark.
pub(crate) const HAS_BYTE_ORDER_MARK: &str =
    "begins with a byte order mark (BOM), which is not valid JSON: save it as UTF-8 without BOM";

/// JSON: the text itself, `@file`, or `-` for stdin.
#[derive(Clone, Debug)]
pub(crate) enum Json {
    Text(String),
    File(String),
    Stdin,
}

impl Json {
    /// For clap. Does not read yet.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Ok(match (text, text.strip_prefix('@')) {
            ("-", _) => Json::Stdin,
            (_, Some(path)) => Json::File(path.to_owned()),
            _ => Json::Text(text.to_owned()),
        })
    }

    /// Reads and parses the JSON.
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

    /// Reads an object.
    pub(crate) fn read_object(&self, what: &str) -> Result<Map<String, Value>, Failure> {
        match self.read(what)? {
            Value::Object(object) => Ok(object),
            _ => Err(Failure::usage(format!("{what} must be an object, such as {{\"resource_id\": 5}}"))),
        }
    }
}

/// Parses JSON. Errors do not quote the text.
pub(crate) fn json(what: &str, text: &str) -> Result<Value, Failure> {
    if text.starts_with(BYTE_ORDER_MARK) {
        return Err(Failure::usage(format!("{what} {HAS_BYTE_ORDER_MARK}")));
    }
    serde_json::from_str(text).map_err(|error| {
        Failure::usage(format!("{what} is not valid JSON: {error}"))
            .hint("quote strings for JSON, and again for the shell: '\"text\"'")
    })
}

/// For clap: a text that is not empty.
pub(crate) fn name() -> NonEmptyStringValueParser {
    NonEmptyStringValueParser::new()
}

/// For clap: `name=value`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected name=value".to_owned()),
    }
}

/// For clap: `500ms`, `5s`, `2m`, above 0.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) | Err(_) => {
            Err("expected a number with a unit, above 0, such as 500ms, 5s or 2m".to_owned())
        }
        Ok(duration) => Ok(duration),
    }
}

/// For clap: a whole number from `least` to `most`.
pub(crate) fn whole_number<N: TryFrom<u64>>(least: u64, most: u64) -> impl Fn(&str) -> Result<N, String> + Clone {
    move |text| match text.parse::<u64>() {
        Err(_) => Err("expected a whole number".to_owned()),
        Ok(number) if number < least => Err(format!("must be at least {least}")),
        Ok(number) if number > most => Err(format!("must be at most {most}")),
        Ok(number) => N::try_from(number).map_err(|_| "the number is too large".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_are_above_zero() {
        for (text, millis) in [("500ms", 500), ("5s", 5_000), ("2m", 120_000), ("1m 30s", 90_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "0s", "-1s", "soon", "5 parsecs"] {
            assert!(duration(text).unwrap_err().contains("500ms, 5s or 2m"), "{text}");
        }
    }

    #[test]
    fn numbers_outside_the_range_name_the_bound() {
        let parse = whole_number::<u32>(1, 100);
        assert_eq!((parse("1"), parse("100")), (Ok(1), Ok(100)));
        for (text, error) in
            [("0", "at least 1"), ("101", "at most 100"), ("1.5", "whole number"), ("", "whole number")]
        {
            assert!(parse(text).unwrap_err().contains(error), "{text}");
        }
        assert!(whole_number::<u8>(0, 1000)("256").unwrap_err().contains("too large"));
    }

    #[test]
    fn pairs_have_a_name_and_split_at_the_first_sign() {
        assert_eq!(pair("filter[name]=a=b"), Ok(("filter[name]".to_owned(), "a=b".to_owned())));
        assert_eq!(pair("a="), Ok(("a".to_owned(), String::new())));
        assert!(pair("a").is_err() && pair("=a").is_err());
    }

    #[test]
    fn errors_of_json_do_not_quote_it() {
        let read = |text: &str| Json::parse(text).unwrap().read("--data");
        assert_eq!(read("{\"a\": 1}").unwrap()["a"], 1);
        let failure = read("{\"password\": hunter2}").unwrap_err();
        assert!(failure.text().starts_with("--data is not valid JSON: ") && !failure.text().contains("hunter2"));
        assert!(read("\u{feff}{}").unwrap_err().text().contains("byte order mark"));
        assert!(read("@/no/such/file").unwrap_err().text().contains("/no/such/file"));
        assert!(Json::parse("[1]").unwrap().read_object("--kwargs").unwrap_err().text().contains("object"));
    }
}
