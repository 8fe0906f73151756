//! Protocol 2 out: the arguments in the body, the rest in headers.

use serde::Serialize;

use super::EncodeOptions;
use super::encode::{Args, Envelope, Kwargs, json, times};
use super::repr;
use crate::{EncodeError, HeaderValue, Headers};

#[derive(Serialize)]
struct Embed {
    callbacks: (),
    errbacks: (),
    chain: (),
    chord: (),
}

pub(super) fn body(envelope: &Envelope<'_>) -> Result<Vec<u8>, EncodeError> {
    let body: (Args<'_>, Kwargs<'_>, Embed) =
        (envelope.args, envelope.kwargs, Embed { callbacks: (), errbacks: (), chain: (), chord: () });
    json(&body)
}

/// The headers that Celery 5 sends, all of them: a Celery 3.1 worker dies without `eta` and
/// `expires`, which may be null. `lang` stays `py`: Celery reads no other language's messages differently,
/// and some monitors know only this one.
pub(super) fn headers(envelope: &Envelope<'_>, options: &EncodeOptions) -> Result<Headers, EncodeError> {
    let (eta, expires) = times(options)?;
    let text = |text: Option<&str>| text.map_or(HeaderValue::Null, HeaderValue::from);
    let (args, kwargs) = (envelope.args, envelope.kwargs);
    let headers: [(&str, HeaderValue); 19] = [
        ("lang", "py".into()),
        ("task", envelope.task.into()),
        ("id", envelope.id.into()),
        ("shadow", HeaderValue::Null),
        ("eta", text(eta.as_deref())),
        ("expires", text(expires.as_deref())),
        ("group", HeaderValue::Null),
        ("group_index", HeaderValue::Null),
        ("retries", 0.into()),
        ("timelimit", HeaderValue::List(vec![HeaderValue::Null, HeaderValue::Null])),
        ("root_id", options.root_id.as_deref().unwrap_or(envelope.id).into()),
        ("parent_id", text(options.parent_id.as_deref())),
        ("argsrepr", repr::args(args.first, args.rest).into()),
        ("kwargsrepr", repr::kwargs(kwargs.task_id, kwargs.rest).into()),
        ("origin", options.origin.as_deref().unwrap_or_default().into()),
        ("ignore_result", HeaderValue::Null),
        ("replaced_task_nesting", 0.into()),
        ("stamped_headers", HeaderValue::Null),
        ("stamps", HeaderValue::Table(Headers::new())),
    ];
    Ok(headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
