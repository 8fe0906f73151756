//! Which method of a view a request goes to, as Python's `handle_request_event` and Django REST framework have it, and
//! how its result becomes an answer. No request is left without one.

use std::ops::RangeInclusive;

use zc_events_protocol::{IncomingRequest, Method, Reply};

use serde_json::Value;

use super::run::Failed;
use crate::service::resource_view::ResourceView;
use crate::service::response::{Served, ViewResult};
use crate::{Context, HandlerError};

/// A method's name as an answer shows it.
const LONGEST_METHOD: usize = 32;

/// What there is of them.
pub(super) const STATUSES: RangeInclusive<u16> = 100..=599;

/// What a request is about.
enum About<'a> {
    All,
    One(String),
    Related(String, &'a str),
    Relationship(String, &'a str),
}

impl<'a> About<'a> {
    /// # Errors
    /// 404 for a key that no resource can have.
    fn of(request: &'a IncomingRequest) -> Result<Self, HandlerError> {
        let pk = match &request.pk {
            None => return Ok(About::All),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => return Err(HandlerError::not_found()),
        };
        Ok(match (&request.relationship, &request.related_resource) {
            (Some(name), _) => About::Relationship(pk, name),
            (None, Some(name)) => About::Related(pk, name),
            (None, None) => About::One(pk),
        })
    }
}

/// Calls the method that the request is for.
pub(super) fn serve(view: &dyn ResourceView, context: &Context, request: &IncomingRequest) -> ViewResult {
    use About::{All, One, Related, Relationship};
    use Method::{Delete, Get, Head, Options, Patch, Post, Put};

    let refused = || {
        let name = request.method_name.as_deref().map_or_else(|| "None".to_owned(), str::to_uppercase);
        HandlerError::method_not_allowed(&name.chars().take(LONGEST_METHOD).collect::<String>())
    };
    match (request.method.ok_or_else(refused)?, About::of(request)?) {
        (Get | Head, All) => view.list(context),
        (Post, All) => view.create(context),
        (Get | Head, One(pk)) => view.retrieve(context, &pk),
        (Put, One(pk)) => view.update(context, &pk),
        (Patch, One(pk)) => view.partial_update(context, &pk),
        (Delete, One(pk)) => view.destroy(context, &pk),
        (Get | Head, Related(pk, name)) => view.related(context, &pk, name),
        (Get | Head, Relationship(pk, name)) => view.relationship(context, &pk, name),
        (Post, Relationship(pk, name)) => view.add_to_relationship(context, &pk, name),
        (Patch, Relationship(pk, name)) => view.replace_relationship(context, &pk, name),
        (Delete, Relationship(pk, name)) => view.remove_from_relationship(context, &pk, name),
        (Options, _) => view.options(context),
        _ => Err(refused()),
    }
}

/// The answer that the caller gets.
pub(super) fn reply(result: Result<Served, Failed>) -> Reply {
    let served = result.unwrap_or_else(|failed| {
        let (status, document) = failed.error.document(failed.text);
        Served::with_status(status, document.to_value())
    });
    let (status, body) = served.into_parts();
    if !STATUSES.contains(&status) {
        log::error!("a view answers with status {status}, which there is none of: the caller is told 500");
        return Reply::empty(500);
    }
    match body {
        Some(body) => Reply::new(status, &body).unwrap_or_else(|_| Reply::empty(500)),
        None => Reply::empty(status),
    }
}
