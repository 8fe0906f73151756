//! Dead letters: what RabbitMQ writes into the headers of a message that leaves a queue
//! for its dead letter exchange, and how it recognises one that goes in circles.

use std::time::{SystemTime, UNIX_EPOCH};

use zc_events_protocol::{HeaderValue, Headers};

use super::arguments::DeadLetter;
use super::queue::Content;

/// Why a message died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Rejected,
    Expired,
    TooMany,
    /// It came back more often than the queue allows.
    ReturnedTooOften,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Reason::Rejected => "rejected",
            Reason::Expired => "expired",
            Reason::TooMany => "maxlen",
            Reason::ReturnedTooOften => "delivery_limit",
        }
    }
}

/// The message that goes to the dead letter exchange: `x-death` has one more entry, or a
/// higher count, and the expiration has moved there.
pub(super) fn letter(dead: &Content, queue: &str, to: &DeadLetter, reason: Reason, wall: SystemTime) -> Content {
    let mut properties = dead.properties.clone();
    let mut headers = properties.headers.take().unwrap_or_default();
    let mut deaths = match headers.remove("x-death") {
        Some(HeaderValue::List(deaths)) => deaths,
        _ => Vec::new(),
    };
    let known = deaths.iter().position(|death| is(death, "queue", queue) && is(death, "reason", reason.as_str()));
    let mut entry = match known.map(|at| deaths.remove(at)) {
        Some(HeaderValue::Table(entry)) => entry,
        _ => Headers::from([
            ("queue".to_owned(), queue.into()),
            ("reason".to_owned(), reason.as_str().into()),
            ("exchange".to_owned(), dead.exchange.as_str().into()),
            ("routing-keys".to_owned(), HeaderValue::List(vec![dead.routing_key.as_str().into()])),
            ("time".to_owned(), HeaderValue::Timestamp(seconds(wall))),
        ]),
    };
    let count = entry.get("count").and_then(HeaderValue::as_int).unwrap_or(0).saturating_add(1);
    entry.insert("count".to_owned(), count.into());
    if let Some(expiration) = properties.expiration.take() {
        entry.insert("original-expiration".to_owned(), expiration.into());
    }
    deaths.insert(0, HeaderValue::Table(entry));
    headers.insert("x-death".to_owned(), HeaderValue::List(deaths));
    for (key, value) in [("reason", reason.as_str()), ("queue", queue), ("exchange", &dead.exchange)] {
        headers.entry(format!("x-first-death-{key}")).or_insert_with(|| value.into());
    }
    properties.headers = Some(headers);
    Content {
        exchange: to.exchange.clone(),
        routing_key: to.routing_key.clone().unwrap_or_else(|| dead.routing_key.clone()),
        properties,
        body: dead.body.clone(),
    }
}

/// Whether a letter has been in that queue before, and since then died only by itself:
/// it would go round for ever.
pub(super) fn is_cycle(letter: &Content, queue: &str) -> bool {
    let Some(HeaderValue::List(deaths)) = letter.properties.headers.as_ref().and_then(|headers| headers.get("x-death"))
    else {
        return false;
    };
    match deaths.iter().position(|death| is(death, "queue", queue)) {
        Some(last) => !deaths.iter().take(last + 1).any(|death| is(death, "reason", Reason::Rejected.as_str())),
        None => false,
    }
}

fn is(death: &HeaderValue, key: &str, expected: &str) -> bool {
    matches!(death, HeaderValue::Table(entry) if entry.get(key).and_then(HeaderValue::as_str) == Some(expected))
}

fn seconds(wall: SystemTime) -> u64 {
    wall.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use zc_events_protocol::Properties;

    fn content() -> Content {
        Content {
            exchange: "e".into(),
            routing_key: "k".into(),
            properties: Properties { expiration: Some("5".into()), ..Properties::default() },
            body: b"body".to_vec(),
        }
    }

    #[test]
    fn deaths_are_written_down_latest_first() {
        let to = DeadLetter { exchange: "dlx".into(), routing_key: None };
        let mut letter_ = letter(&content(), "retry", &to, Reason::Expired, UNIX_EPOCH);
        assert_eq!((letter_.exchange.as_str(), letter_.routing_key.as_str()), ("dlx", "k"));
        assert_eq!(letter_.properties.expiration, None);
        for (queue, reason) in [("main", Reason::Rejected), ("retry", Reason::Expired)] {
            letter_ = letter(&letter_, queue, &to, reason, UNIX_EPOCH);
        }
        let headers = letter_.properties.headers.unwrap();
        let Some(HeaderValue::List(deaths)) = headers.get("x-death") else { panic!("{headers:?}") };
        assert_eq!(deaths.len(), 2);
        let HeaderValue::Table(latest) = &deaths[0] else { panic!("{deaths:?}") };
        assert_eq!(latest["queue"], "retry".into());
        assert_eq!(latest["count"], 2.into());
        assert_eq!(latest["original-expiration"], "5".into());
        assert_eq!(headers["x-first-death-exchange"], "e".into());
        assert_eq!(headers["x-first-death-reason"], "expired".into());
    }

    #[test]
    fn only_what_dies_by_itself_goes_in_circles() {
        let to = DeadLetter { exchange: String::new(), routing_key: None };
        let once = letter(&content(), "a", &to, Reason::Expired, UNIX_EPOCH);
        assert!(is_cycle(&once, "a"));
        assert!(!is_cycle(&once, "b"));
        let twice = letter(&once, "b", &to, Reason::Rejected, UNIX_EPOCH);
        assert!(!is_cycle(&twice, "a"));
        let thrice = letter(&twice, "a", &to, Reason::TooMany, UNIX_EPOCH);
        assert!(is_cycle(&thrice, "a"));
    }
}
