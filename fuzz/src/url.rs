//! The URLs of brokers and reply stores, with a secret as the password. Input: the parser (see `run`), then text, in
//! which the secret replaces `HOLE`.

use std::cell::RefCell;
use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::sync::Once;

use percent_encoding::percent_decode_str;
use zc_events_cache::redis::RedisUrl;
use zc_events_transport::amqp::BrokerUrl;

/// The place of the secret in the text of an input.
const HOLE: char = '~';
/// The secret. No output may show it in any encoding.
const SECRET: &str = "kNry7wQz";
/// The secret, percent-encoded.
const ENCODED: &str = "%6B%4Ery7%77Qz";

thread_local! {
    static LOGGED: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Parses a URL, which may be refused. If the secret is at the place of a password, `Display` and `Debug` of the
/// result, the error and the log must not show it. The displayed URL must parse again, to a URL with the same display.
pub fn run(data: &[u8]) {
    static LOGGER: Once = Once::new();
    LOGGER.call_once(|| {
        if log::set_logger(&Capture).is_ok() {
            log::set_max_level(log::LevelFilter::Trace);
        }
    });
    let Some((how, text)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(text).into_owned();
    let secret = if how & 2 != 0 { ENCODED } else { SECRET };
    let url = text.replacen(HOLE, secret, 1).replace(HOLE, "");
    if how & 1 == 0 {
        check::<BrokerUrl>(&url, stands_for_a_password(&text, true));
    } else {
        check::<RedisUrl>(&url, stands_for_a_password(&text, false));
    }
}

fn check<U: FromStr<Err: Display + Debug> + Display + Debug>(url: &str, secret: bool) {
    LOGGED.take();
    let parsed = U::from_str(url);
    let shown = match &parsed {
        Ok(parsed) => format!("{parsed}\n{parsed:?}"),
        Err(error) => format!("{error}\n{error:?}"),
    };
    let shown = shown + "\n" + &LOGGED.take();
    assert!(!secret || !decoded(&shown).contains(&decoded(SECRET)), "{url:?} shows its secret: {shown}");
    if let Ok(parsed) = parsed {
        let shown = parsed.to_string();
        match U::from_str(&shown) {
            Ok(again) => assert_eq!(again.to_string(), shown, "{url:?}"),
            Err(error) => panic!("{url:?} shows itself as {shown:?}, which is refused: {error:?}"),
        }
    }
}

/// Whether the hole is at the place of a password, in a correct URL or in one without the necessary escapes: anywhere
/// between the colon after the user's name and the last `@`. In a list (with `;`) both are in one URL, because a
/// password that looks like the start of another URL of the list cannot be told from two correct URLs.
fn stands_for_a_password(text: &str, lists: bool) -> bool {
    let Some((mut before, mut behind)) = text.split_once(HOLE) else { return false };
    // A fuzzer that watches comparisons learns the secret, and may put it where it may be shown.
    if decoded(before).contains(&decoded(SECRET)) || decoded(behind).contains(&decoded(SECRET)) {
        return false;
    }
    if lists {
        if let Some(begin) = before.rfind("://").and_then(|scheme| before[..scheme].rfind(';')) {
            before = &before[begin + 1..];
        }
        if let Some(end) = behind.rfind("://").and_then(|scheme| behind[..scheme].find(';')) {
            behind = &behind[..end];
        }
    }
    let Some((_, rest)) = before.split_once("://") else { return false };
    (rest.contains(':') || rest.to_lowercase().contains("%3a")) && behind.contains('@')
}

/// Text in the form in which the check searches for the secret.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().to_lowercase()
}

struct Capture;

impl log::Log for Capture {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        LOGGED.with_borrow_mut(|logged| *logged += &format!("{}: {}\n", record.target(), record.args()));
    }

    fn flush(&self) {}
}

/// The inputs for this URL: for both parsers, with the secret plain and encoded.
pub(crate) fn seeds(text: &str) -> Vec<Vec<u8>> {
    (0..4).map(|how| [&[how], text.as_bytes()].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_for_a_password_is_one() {
        for text in ["amqp://u:~@h", "amqp://u:a/~b@h", "amqp://a;amqp://u:~@h", "amqp://u%3A~@h", "u://:~://@h"] {
            assert!(stands_for_a_password(text, true), "{text}");
        }
        for text in
            ["amqp://u@~", "~", "amqp://~@h", "amqp://u:a;amqp://~@h", "amqp://u%6BNry7wQz:~@h", "amqp://u:p@h?x=~"]
        {
            assert!(!stands_for_a_password(text, true), "{text}");
        }
    }

    #[test]
    #[should_panic(expected = "shows its secret")]
    fn a_secret_that_is_shown_is_found() {
        check::<BrokerUrl>(&format!("amqp://{SECRET}:p@h"), true);
    }

    #[test]
    fn a_finding_that_was_none() {
        run(b"\x03redis://$u\"hush%6b%4ery7%77qz:~@[fe80::1]");
    }
}
