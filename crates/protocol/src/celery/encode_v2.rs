//! Encoding in protocol 2: the arguments are in the body, the rest is in headers.

use serde::Serialize;

use super::encode_options::EncodeOptions;
use super::envelope::{Args, Envelope, Kwargs};
use super::python_repr;
use crate::{EncodeError, HeaderValue, Headers, json};

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
    json::to_bytes(&body)
}

/// All headers that Celery 5 sends. A Celery 3.1 worker dies without `eta` and `expires`, which may be null. `lang` is
/// `py`: Celery treats all languages alike, and some monitors know only this one.
pub(super) fn headers(envelope: &Envelope<'_>, options: &EncodeOptions) -> Result<Headers, EncodeError> {
    let (eta, expires) = options.formatted_times()?;
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
        ("argsrepr", python_repr::args(args.first, args.rest).into()),
        ("kwargsrepr", python_repr::kwargs(kwargs.task_id, kwargs.rest).into()),
        ("origin", options.origin.as_deref().unwrap_or_default().into()),
        ("ignore_result", HeaderValue::Null),
        ("replaced_task_nesting", 0.into()),
        ("stamped_headers", HeaderValue::Null),
        ("stamps", HeaderValue::Table(Headers::new())),
    ];
    Ok(headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
