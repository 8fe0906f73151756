//! Reads the words in which RabbitMQ says what differs:
//! `inequivalent arg 'x-max-priority' for queue 'q' in vhost '/': received the value '10' of
//! type 'signedint' but current is none`. Nothing is asked from here.

use zc_events_protocol::HeaderValue;

use crate::Difference;

/// One difference, in RabbitMQ's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inequivalent {
    what: String,
    received: Said,
    current: Said,
}

/// `none`, `'5'`, or `the value '5' of type 'signedint'`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    value: Option<String>,
    kind: Option<String>,
}

impl Inequivalent {
    /// `None` where the text says something else.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("inequivalent arg '")?;
        let (what, rest) = rest.split_once("' for ")?;
        let (_, rest) = rest.rsplit_once(": received ")?;
        let (received, current) = rest.split_once(" but current is ")?;
        Some(Self { what: what.to_owned(), received: Said::read(received)?, current: Said::read(current)? })
    }

    pub(super) fn what(&self) -> &str {
        &self.what
    }

    pub(super) fn found(&self) -> &str {
        self.current.shown()
    }

    /// What is there, where that is a property and no argument.
    pub(super) fn found_flag(&self) -> Option<bool> {
        self.found().parse().ok()
    }

    /// What is there as an argument, `Null` for none. Where no type is told, it is that of `wanted`.
    pub(super) fn found_value(&self, wanted: Option<&HeaderValue>) -> Option<HeaderValue> {
        let Some(value) = &self.current.value else { return Some(HeaderValue::Null) };
        let kind = self.current.kind.as_deref().or(match wanted {
            Some(HeaderValue::Int(_)) => Some("signedint"),
            Some(HeaderValue::Text(_)) => Some("longstr"),
            Some(HeaderValue::Bool(_)) => Some("bool"),
            _ => None,
        })?;
        match kind {
            "longstr" => Some(HeaderValue::Text(value.clone())),
            "bool" => value.parse().ok().map(HeaderValue::Bool),
            _ => value.parse().ok().map(HeaderValue::Int),
        }
    }

    pub(super) fn difference(&self) -> Difference {
        let (wanted, found) = (self.received.shown().to_owned(), self.current.shown().to_owned());
        Difference { what: self.what.clone(), wanted, found }
    }
}

impl Said {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "none" {
            return Some(Self { value: None, kind: None });
        }
        let (value, kind) = match text.strip_prefix("the value ") {
            Some(rest) => {
                let (value, kind) = rest.rsplit_once(" of type ")?;
                (value, Some(kind))
            }
            None => (text, None),
        };
        let bare = |quoted: &str| Some(quoted.strip_prefix('\'')?.strip_suffix('\'')?.to_owned());
        Some(Self { value: Some(bare(value)?), kind: kind.and_then(bare) })
    }

    fn shown(&self) -> &str {
        self.value.as_deref().unwrap_or("none")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "PRECONDITION_FAILED - inequivalent arg";

    fn read(text: &str) -> Inequivalent {
        Inequivalent::read(&format!("{START} {text}")).unwrap()
    }

    #[test]
    fn what_rabbitmq_says_is_read() {
        let none = read(
            "'x-max-priority' for queue 'q: received' in vhost '/': received the value '10' of type 'signedint' but current is none",
        );
        assert_eq!((none.what(), none.found()), ("x-max-priority", "none"));
        assert_eq!(none.found_value(Some(&10.into())), Some(HeaderValue::Null));
        let typed = read(
            "'x-queue-type' for queue 'q' in vhost '/': received none but current is the value 'quorum' of type 'longstr'",
        );
        assert_eq!(typed.found_value(None), Some("quorum".into()));
        let bare = read("'x-max-priority' for queue 'q' in vhost '/': received '10' but current is '5'");
        assert_eq!(bare.found_value(Some(&10.into())), Some(5.into()));
        assert_eq!(bare.found_value(None), None);
        let Difference { what, wanted, found } = bare.difference();
        assert_eq!((what.as_str(), wanted.as_str(), found.as_str()), ("x-max-priority", "10", "5"));
        let flag = read("'durable' for exchange 'e' in vhost '/': received 'true' but current is 'false'");
        assert_eq!(flag.found_flag(), Some(false));
    }

    #[test]
    fn anything_else_is_no_difference() {
        for text in [
            "",
            "PRECONDITION_FAILED - invalid arg 'x-delivery-limit' for queue 'q' in vhost '/' of queue type rabbit_classic_queue",
            "PRECONDITION_FAILED - inequivalent arg 'x",
            "PRECONDITION_FAILED - inequivalent arg 'x' for queue 'q': received '1'",
            "PRECONDITION_FAILED - inequivalent arg 'x' for queue 'q': received 1 but current is 2",
            "PRECONDITION_FAILED - inequivalent arg 'x' for queue 'q': received '1' but current is the value '2'",
        ] {
            assert_eq!(Inequivalent::read(text), None, "{text}");
        }
    }
}
