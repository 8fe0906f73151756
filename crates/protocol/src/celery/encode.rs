//! Messages out: what both protocols have in common.

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value};

use super::{EncodeOptions, Encoded, Protocol, v1, v2};
use crate::{EncodeError, Limits, Properties, payload, timestamp};

/// A message on its way out, as both protocols need it.
pub(crate) struct Envelope<'a> {
    pub(crate) task: &'a str,
    pub(crate) id: &'a str,
    pub(crate) args: Args<'a>,
    pub(crate) kwargs: Kwargs<'a>,
    /// The key at the top level of a call in protocol 1; such a call has no `kwargs`.
    pub(crate) call: Option<Option<&'a str>>,
    pub(crate) priority: Option<u8>,
    /// The protocol in which zc_events would send it.
    pub(crate) usual: Protocol,
}

/// Positional arguments: the event type or the key of a call, and the others.
#[derive(Clone, Copy)]
pub(crate) struct Args<'a> {
    pub(crate) first: &'a str,
    pub(crate) rest: &'a [Value],
}

/// Keyword arguments: `task_id` where there is one, and the others.
#[derive(Clone, Copy, Default)]
pub(crate) struct Kwargs<'a> {
    pub(crate) task_id: Option<&'a str>,
    pub(crate) rest: Option<&'a Map<String, Value>>,
}

impl Envelope<'_> {
    pub(crate) fn encode(&self, options: &EncodeOptions) -> Result<Encoded, EncodeError> {
        self.check()?;
        let (body, headers, correlation_id) = match options.protocol.unwrap_or(self.usual) {
            Protocol::V1 => (v1::body(self, options)?, None, None),
            Protocol::V2 => (v2::body(self)?, Some(v2::headers(self, options)?), Some(self.id.to_owned())),
        };
        let limit = options.max_body.unwrap_or_else(|| Limits::default().body);
        if body.len() > limit {
            return Err(EncodeError::TooLarge { what: "body", size: body.len(), limit });
        }
        let properties = Properties {
            content_type: Some("application/json".to_owned()),
            content_encoding: Some("utf-8".to_owned()),
            headers,
            delivery_mode: Some(if options.persistent { 2 } else { 1 }),
            priority: self.priority,
            correlation_id,
            // RabbitMQ takes 0 as "only if somebody waits for it right now", and no more than 32 bits.
            expiration: options.expiration.map(|after| after.as_millis().clamp(1, u128::from(u32::MAX)).to_string()),
            ..Properties::default()
        };
        Ok(Encoded { properties, body })
    }

    fn check(&self) -> Result<(), EncodeError> {
        if self.args.first.is_empty() {
            return Err(EncodeError::BadName { what: "event type", why: "is empty" });
        }
        // The id is a short string in the properties of protocol 2.
        crate::names::check_name("id", self.id)?;
        // What is in a call was looked at when it was put there, under its own name, and is one level deeper in here.
        for value in self.args.rest.iter().filter(|_| self.call.is_none()) {
            payload::check_depth("args", value)?;
        }
        for (key, value) in self.kwargs.rest.into_iter().flatten() {
            payload::check_depth(key, value)?;
        }
        Ok(())
    }
}

/// `eta` and `expires` in writing.
pub(super) fn times(options: &EncodeOptions) -> Result<(Option<String>, Option<String>), EncodeError> {
    let written =
        |what, at: Option<_>| at.map(|at| timestamp::format(at).ok_or(EncodeError::Time { what })).transpose();
    Ok((written("eta", options.eta)?, written("expires", options.expires)?))
}

/// JSON of what is known to be serializable.
pub(super) fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, EncodeError> {
    serde_json::to_vec(value)
        .map_err(|error| EncodeError::Serialize { what: "body".to_owned(), why: error.to_string() })
}

impl Serialize for Args<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(1 + self.rest.len()))?;
        seq.serialize_element(self.first)?;
        for value in self.rest {
            seq.serialize_element(value)?;
        }
        seq.end()
    }
}

impl Serialize for Kwargs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(task_id) = self.task_id {
            map.serialize_entry("task_id", task_id)?;
        }
        for (key, value) in self.rest.into_iter().flatten() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}
