//! `zc-events call`: calls a function of another service by its key.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use zc_events::{CallRequest, Error, Method, RemoteError};

use crate::failure::Failure;
use crate::output::{GOOD, Line};
use crate::session::Session;
use crate::value_parsers::{self, Json};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The function's key, such as add
    #[arg(value_parser = value_parsers::name())]
    key: String,
    /// GET, PUT, POST or DELETE; the function defines its meaning
    #[arg(long, default_value = "GET", hide_default_value = true, value_parser = method)]
    method: Method,
    /// The data: JSON, @file, or - for stdin [default: {}]
    #[arg(long, value_name = "JSON", value_parser = Json::parse, allow_negative_numbers = true)]
    data: Option<Json>,
    /// A header, whose value is a string; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = value_parsers::pair)]
    header: Vec<(String, String)>,
    /// Do not wait for the result, only for the broker's confirm
    #[arg(long, conflicts_with = "timeout")]
    no_wait: bool,
    /// How long to wait for the reply: 500ms, 5s, 2m [default: EVENTS_TIMEOUT]
    #[arg(long, value_name = "TIME", value_parser = value_parsers::duration)]
    timeout: Option<Duration>,
}

fn method(text: &str) -> Result<Method, String> {
    match text.parse() {
        Ok(method @ (Method::Get | Method::Put | Method::Post | Method::Delete)) => Ok(method),
        _ => Err("expected GET, PUT, POST or DELETE".to_owned()),
    }
}

/// Calls the function; prints its result or its errors.
pub(crate) fn run(session: &Session, options: &Options) -> Result<(), Failure> {
    let data = options.data.as_ref().map(|data| data.read("--data")).transpose()?;
    let client = session.client(|settings| settings)?;
    let mut call: CallRequest = client.call(&options.key, options.method);
    if let Some(data) = data {
        call = call.data(data)?;
    }
    if !options.header.is_empty() {
        let header = |(name, value): &(String, String)| (name.clone(), Value::from(value.as_str()));
        call = call.headers(options.header.iter().map(header).collect::<Map<_, _>>())?;
    }
    if let Some(timeout) = options.timeout {
        call = call.timeout(timeout);
    }
    if options.no_wait {
        call.no_wait().map_err(|error| Failure::sending(&client, error))?;
        return Ok(confirmed(session, &options.key)?);
    }
    match call.fetch::<Value>() {
        Ok(result) => Ok(session.output.document(&result)?),
        Err(Error::Call { key, failure }) => {
            let errors: Vec<Value> = failure.errors().iter().map(error).collect();
            session.output.document(&json!({ "errors": errors }))?;
            Err(Error::Call { key, failure }.into())
        }
        Err(error) => Err(Failure::requesting(&options.key, error)),
    }
}

/// A line of JSON about a call without a result.
#[derive(Serialize)]
struct Confirmed<'a> {
    key: &'a str,
    confirmed: bool,
}

fn confirmed(session: &Session, key: &str) -> std::io::Result<()> {
    if session.output.is_json() {
        return session.output.json(&Confirmed { key, confirmed: true });
    }
    session.output.text(format_args!("call of {}: {GOOD}confirmed{GOOD:#} by the broker", Line(key)))
}

fn error(error: &RemoteError) -> Value {
    let mut object = json!({"type": error.kind, "message": error.message});
    if let Some(trace) = &error.trace {
        object["trace"] = trace.as_str().into();
    }
    object
}
