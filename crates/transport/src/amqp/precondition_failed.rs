//! Parses the text of RabbitMQ's PRECONDITION_FAILED that names a difference:
//! `inequivalent arg 'x-max-priority' for queue 'q' in vhost '/': received the value '10' of
//! type 'signedint' but current is none`. It makes no call.

use zc_events_protocol::HeaderValue;

use crate::Difference;

/// One difference, as RabbitMQ words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PreconditionFailed {
    what: String,
    received: WordedValue,
    current: WordedValue,
}

/// `none`, `'5'`, or `the value '5' of type 'signedint'`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct WordedValue {
    value: Option<String>,
    kind: Option<String>,
}

impl PreconditionFailed {
    /// `None` if the text says something else.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("inequivalent arg '")?;
        let (what, rest) = rest.split_once("' for ")?;
        let (_, rest) = rest.rsplit_once(": received ")?;
        let (received, current) = rest.split_once(" but current is ")?;
        Some(Self {
            what: what.to_owned(),
            received: WordedValue::read(received)?,
            current: WordedValue::read(current)?,
        })
    }

    pub(super) fn what(&self) -> &str {
        &self.what
    }

    pub(super) fn found(&self) -> &str {
        self.current.shown()
    }

    /// The existing value of a property (not of an argument).
    pub(super) fn found_flag(&self) -> Option<bool> {
        self.found().parse().ok()
    }

    /// The existing value of an argument; `Null` if there is none. If the text names no type, the type of `wanted` is
    /// used.
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

impl WordedValue {
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

    fn read(text: &str) -> PreconditionFailed {
        PreconditionFailed::read(&format!("{START} {text}")).unwrap()
    }

    #[test]
    fn rabbitmqs_wording_is_parsed() {
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
    fn other_texts_are_no_difference() {
        for text in [
            "",
            "PRECONDITION_FAILED - invalid arg 'x-delivery-limit' for queue 'q' in vhost '/' of queue type rabbit_classic_queue",
            "PRECONDITION_FAILED - inequivalent arg 'x",
            "PRECONDITION_FAILED - inequivalent arg 'x' for queue 'q': received '1'",
            "PRECONDITION_FAILED - inequivalent arg 'x' for queue 'q': received 1 but current is 2",
            "PRECONDITION_FAILED - inequivalent arg 'x' for queue 'q': received '1' but current is the value '2'",
        ] {
            assert_eq!(PreconditionFailed::read(text), None, "{text}");
        }
    }
}
