//! Checks of single values: names, numbers, bytes, seconds.

use std::time::Duration;

use zc_events_protocol::names;

use crate::{Error, Result};

/// The largest limit for a body or an answer: RabbitMQ accepts messages of up to 512 MiB.
const LARGEST: usize = 512 << 20;
/// The largest limit for the depth of JSON: values are dropped recursively.
pub(super) const DEEPEST: usize = 512;

/// A wrong value as an error shows it. A value that does not look like a number is not shown: it may be a secret of another
/// setting, such as a URL with a password.
pub(super) fn shown(text: &str) -> String {
    let is_numeric = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '+' | '-' | '_' | ' ');
    let unit = text.trim_start_matches(is_numeric);
    // Long enough for `10 MiB`, `1e400` and `redis`, too short for a secret.
    if text.len() <= 24 && unit.len() <= 5 && unit.chars().all(|c| c.is_ascii_alphanumeric()) {
        format!("`{text}`")
    } else {
        "something else (not shown)".to_owned()
    }
}

/// The name of a service or an exchange.
pub(super) fn named(setting: &'static str, name: String) -> Result<String> {
    // The name of a queue is the service's name with a suffix of up to 24 bytes.
    const LONGEST: usize = names::MAX_NAME - 32;
    if name.is_empty() || name.len() > LONGEST || name.chars().any(char::is_control) {
        return Err(Error::config(format!(
            "{setting} is not a name of 1 to {LONGEST} bytes without control characters"
        )));
    }
    Ok(name)
}

/// The URL of RabbitMQ's management API. It may contain a password.
pub(super) fn http(url: String) -> Result<String> {
    let wrong = |why: &str| Error::config(format!("MANAGEMENT_URL {why}: use http://user:password@host:15672"));
    match url.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") && !rest.is_empty() => Ok(url),
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => {
            Err(wrong("uses TLS (https://), which this build does not support"))
        }
        _ => Err(wrong("is not a URL that starts with http://")),
    }
}

/// A whole number from `least` to `most`.
pub(super) fn number(setting: &str, text: Option<&str>, default: u64, least: u64, most: u64, or: &str) -> Result<u64> {
    let Some(text) = text else {
        return Ok(default);
    };
    text.parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| {
        Error::config(format!(
            "{setting} is {}: use a whole number from {least} to {most}{or} (default {default})",
            shown(text)
        ))
    })
}

/// [`number`] as a size. The default is not checked.
pub(super) fn size(setting: &str, text: Option<&str>, default: usize, least: usize, most: usize) -> Result<usize> {
    Ok(number(setting, text, default as u64, least as u64, most as u64, "")? as usize)
}

/// A number of bytes, from 1 KiB to 512 MiB.
pub(super) fn bytes(setting: &str, text: Option<&str>, default: usize) -> Result<usize> {
    let Some(text) = text else {
        return Ok(default);
    };
    text.parse().ok().filter(|bytes| (1024..=LARGEST).contains(bytes)).ok_or_else(|| {
        Error::config(format!(
            "{setting} is {}: use a whole number of bytes from 1024 to {LARGEST} (default {default})",
            shown(text)
        ))
    })
}

/// A number of seconds above 0, with or without a fraction, up to `most`.
pub(super) fn seconds(setting: &str, text: Option<String>, default: u64, most: Option<u64>) -> Result<Duration> {
    let Some(text) = text else {
        return Ok(Duration::from_secs(default));
    };
    text.parse()
        .ok()
        .filter(|seconds| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| most.is_none_or(|most| *duration <= Duration::from_secs(most)))
        .ok_or_else(|| {
            let most = most.map_or(String::new(), |most| format!(" and up to {most}"));
            Error::config(format!(
                "{setting} is {}: use a number of seconds above 0{most}, such as {default} (the default) or 2.5",
                shown(&text)
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_management_url_is_http_and_is_not_shown() {
        assert!(http("http://guest:guest@h:15672".to_owned()).is_ok() && http("HTTP://h".to_owned()).is_ok());
        for (url, says) in [
            ("https://u:canary@h", "TLS"),
            ("amqp://u:canary@h", "http://"),
            ("u:canary@h:15672", "http://"),
            ("http://", "http://"),
        ] {
            let error = http(url.to_owned()).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("MANAGEMENT_URL") && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn only_what_looks_like_a_number_is_shown() {
        for text in ["0", "-1", "1,000", "2.5.1", "10s", "70000", "10 MiB", "nan", "soon", "1e400"] {
            assert_eq!(shown(text), format!("`{text}`"));
        }
        for text in ["hunter2", "amqp://u:canary@h", "1234canary", "a@b", "123456789012345678901234567890"] {
            assert!(!shown(text).contains(text), "{text}");
        }
    }
}
