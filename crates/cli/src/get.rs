//! `zc-events get`: requests a resource from another service.

use std::time::Duration;

use zc_events::Method;

use crate::failure::Failure;
use crate::output::note;
use crate::session::Session;
use crate::value_parsers::{self, Json};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The resource type, such as Order
    #[arg(value_parser = value_parsers::name())]
    resource: String,
    /// Primary keys; without one, the list is requested
    #[arg(value_parser = value_parsers::name(), allow_negative_numbers = true)]
    pk: Vec<String>,
    /// Related resources to include: company,items
    #[arg(long, value_name = "NAMES")]
    include: Option<String>,
    /// Page size of a list
    #[arg(long, value_name = "N")]
    page_size: Option<u32>,
    /// A query parameter; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = value_parsers::pair)]
    query: Vec<(String, String)>,
    /// Request this related resource instead
    #[arg(long, value_name = "NAME")]
    related: Option<String>,
    /// Request this relationship itself instead
    #[arg(long, value_name = "NAME", conflicts_with = "related")]
    relationship: Option<String>,
    /// Request on behalf of the user with this id
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// A role of the user; may be repeated [default: anonymous]
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS
    #[arg(long, default_value = "GET", hide_default_value = true)]
    method: Method,
    /// The document to send: JSON, @file, or - for stdin
    #[arg(long, value_name = "JSON", value_parser = Json::parse, allow_negative_numbers = true)]
    data: Option<Json>,
    /// The priority, 0 to 10 [default: none]
    #[arg(long, value_name = "N")]
    priority: Option<u8>,
    /// How long to wait for the reply: 500ms, 5s, 2m [default: EVENTS_TIMEOUT]
    #[arg(long, value_name = "TIME", value_parser = value_parsers::duration)]
    timeout: Option<Duration>,
}

/// Sends the request and prints the document, which may describe a failure.
pub(crate) fn run(session: &Session, options: &Options) -> Result<(), Failure> {
    let data = options.data.as_ref().map(|data| data.read("--data")).transpose()?;
    let client = session.client(|settings| settings)?;
    let mut request = client.remote(&options.resource).method(options.method);
    request = match options.pk.as_slice() {
        [] => request,
        [pk] => request.pk(pk.as_str()),
        pks => request.pks(pks),
    };
    if let Some(include) = &options.include {
        request = request.include(include);
    }
    if let Some(page_size) = options.page_size {
        request = request.page_size(page_size);
    }
    for (name, value) in &options.query {
        request = request.query_param(name, value);
    }
    if let Some(related) = &options.related {
        request = request.related_resource(related);
    }
    if let Some(relationship) = &options.relationship {
        request = request.relationship(relationship);
    }
    if let Some(user) = &options.user {
        request = request.user(user.as_str());
    }
    if !options.role.is_empty() {
        request = request.roles(&options.role);
    }
    if let Some(data) = data {
        request = request.body(data);
    }
    if let Some(priority) = options.priority {
        request = request.priority(priority);
    }
    if let Some(timeout) = options.timeout {
        request = request.timeout(timeout);
    }
    let answer = request.fetch_any().map_err(|error| Failure::requesting(&options.resource, error))?;
    match answer.data()? {
        Some(document) => session.output.document(&document)?,
        None if session.output.is_json() => session.output.document(&serde_json::Value::Null)?,
        None => note(format_args!("status {}, no document", answer.status())),
    }
    answer.or_remote_error()?;
    Ok(())
}
