//! An outgoing message before it is encoded.

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value};

use super::protocol::Protocol;

/// An outgoing message, with the fields that both protocols need.
pub(crate) struct Envelope<'a> {
    pub(crate) task: &'a str,
    pub(crate) id: &'a str,
    pub(crate) args: Args<'a>,
    pub(crate) kwargs: Kwargs<'a>,
    /// For a call, its `response_key`: protocol 1 puts it at the top level and leaves `kwargs` out.
    pub(crate) call: Option<Option<&'a str>>,
    pub(crate) priority: Option<u8>,
    /// The protocol that zc_events uses for this kind of message.
    pub(crate) default_protocol: Protocol,
}

/// Positional arguments: first the event type or the key of a call, then the others.
#[derive(Clone, Copy)]
pub(crate) struct Args<'a> {
    pub(crate) first: &'a str,
    pub(crate) rest: &'a [Value],
}

/// Keyword arguments: `task_id` if there is one, then the others.
#[derive(Clone, Copy, Default)]
pub(crate) struct Kwargs<'a> {
    pub(crate) task_id: Option<&'a str>,
    pub(crate) rest: Option<&'a Map<String, Value>>,
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
