//! Encoding in protocol 1: everything is in the body, and there are no headers, as in zc_events.

use serde::Serialize;

use super::encode_options::EncodeOptions;
use super::envelope::{Args, Envelope, Kwargs};
use crate::{EncodeError, json};

#[derive(Serialize)]
struct Body<'a> {
    task: &'a str,
    id: &'a str,
    args: Args<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kwargs: Option<Kwargs<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_key: Option<Option<&'a str>>,
    /// Celery reads the body of protocol 1 as the headers of protocol 2, and so finds this id and the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    root_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eta: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    /// Says that `eta` and `expires` are in UTC. Left out without them.
    #[serde(skip_serializing_if = "Option::is_none")]
    utc: Option<bool>,
}

pub(super) fn body(envelope: &Envelope<'_>, options: &EncodeOptions) -> Result<Vec<u8>, EncodeError> {
    let (eta, expires) = options.formatted_times()?;
    json::to_bytes(&Body {
        task: envelope.task,
        id: envelope.id,
        args: envelope.args,
        kwargs: envelope.call.is_none().then_some(envelope.kwargs),
        response_key: envelope.call,
        root_id: options.root_id.as_deref(),
        parent_id: options.parent_id.as_deref(),
        utc: (eta.is_some() || expires.is_some()).then_some(true),
        eta,
        expires,
    })
}
