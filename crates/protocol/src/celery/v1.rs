//! Protocol 1 out: everything in the body, and no headers, as zc_events has it.

use serde::Serialize;

use super::EncodeOptions;
use super::encode::{Args, Envelope, Kwargs, json, times};
use crate::EncodeError;

#[derive(Serialize)]
struct Body<'a> {
    task: &'a str,
    id: &'a str,
    args: Args<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kwargs: Option<Kwargs<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_key: Option<Option<&'a str>>,
    /// Celery takes the body of protocol 1 for the headers of protocol 2, and finds these there.
    #[serde(skip_serializing_if = "Option::is_none")]
    root_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eta: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    /// Says that `eta` and `expires` are in UTC; without them nobody looks.
    #[serde(skip_serializing_if = "Option::is_none")]
    utc: Option<bool>,
}

pub(super) fn body(envelope: &Envelope<'_>, options: &EncodeOptions) -> Result<Vec<u8>, EncodeError> {
    let (eta, expires) = times(options)?;
    json(&Body {
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
