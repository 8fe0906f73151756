//! `zc-events emit`: events of the command line, or of lines on stdin. What these hold is in `line`, how many are out
//! at once in `pipeline`, what is said of each in `report`.

mod line;
mod pipeline;
mod report;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, TryRecvError};
use serde_json::{Map, Value};
use zc_events::{Event, Protocol};

use crate::failure::Failure;
use crate::lines::{self, TICK};
use crate::output::note;
use crate::session::Session;
use crate::values::{self, Json};
use pipeline::Pipeline;
use report::Report;

/// What is emitted, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The type of the event, such as order_created; `-` for whole events from stdin, one JSON object a line
    ///
    /// Each line has `event_type`, and where it needs them `args` (a list), `kwargs` (an object) and `priority`. Lines that
    /// `zc-events listen` has printed will do.
    #[arg(value_parser = values::name())]
    event_type: String,
    /// A positional argument behind the type; may be given several times
    #[arg(long, value_name = "JSON", allow_negative_numbers = true)]
    arg: Vec<String>,
    /// The keyword arguments: a JSON object, @file, or - for objects from stdin, one a line and an event each
    #[arg(long, value_name = "JSON", value_parser = Json::parse)]
    kwargs: Option<Json>,
    /// How urgent it is: 0 to 10 in the fleet's queues [default: 0]
    #[arg(long, value_name = "N")]
    priority: Option<u8>,
    /// Celery's task protocol, 1 or 2 [default: EVENTS_PROTOCOL]
    #[arg(long, value_name = "N", value_parser = protocol)]
    protocol: Option<Protocol>,
    /// How often, each time with another id
    #[arg(long, value_name = "N", default_value_t = 1, hide_default_value = true, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// How long each may take to be confirmed: 500ms, 5s [default: EVENTS_PUBLISH_TIMEOUT]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    timeout: Option<Duration>,
}

fn protocol(text: &str) -> Result<Protocol, String> {
    match text {
        "1" => Ok(Protocol::V1),
        "2" => Ok(Protocol::V2),
        _ => Err("use 1 or 2".to_owned()),
    }
}

/// Where the events come from.
enum Source {
    /// As often as is asked for.
    Line(Template, Map<String, Value>),
    /// Lines of keyword arguments.
    Kwargs(Template),
    /// Lines of whole events.
    Events(Option<u8>),
}

/// What all events of one command have in common.
struct Template {
    event_type: String,
    args: Vec<Value>,
    priority: Option<u8>,
}

impl Template {
    fn event(&self, kwargs: Map<String, Value>) -> Result<Event, Failure> {
        line::event(&self.event_type, self.args.clone(), kwargs, self.priority)
    }
}

impl Options {
    fn source(&self) -> Result<Source, Failure> {
        let is_stream = matches!(self.kwargs, Some(Json::Stdin)) || self.event_type == "-";
        if is_stream && self.count > 1 {
            return Err(Failure::usage("--count is for one event; of stdin each line is emitted once"));
        }
        if self.event_type == "-" {
            return match (self.arg.as_slice(), &self.kwargs) {
                ([], None) => Ok(Source::Events(self.priority)),
                _ => Err(Failure::usage(
                    "--arg and --kwargs are those of one type of event: with `-` the lines have them",
                )),
            };
        }
        let args = self.arg.iter().map(|arg| values::json("--arg", arg)).collect::<Result<_, _>>()?;
        let template = Template { event_type: self.event_type.clone(), args, priority: self.priority };
        let kwargs = match &self.kwargs {
            None => Map::new(),
            Some(Json::Stdin) => {
                template.event(Map::new())?;
                return Ok(Source::Kwargs(template));
            }
            Some(kwargs) => kwargs.read_object("--kwargs")?,
        };
        // What makes no event is told before anything is asked for.
        template.event(kwargs.clone())?;
        Ok(Source::Line(template, kwargs))
    }
}

/// Emits, and prints for each event whether the broker has confirmed it.
pub(crate) fn run(session: &Session, options: &Options) -> Result<(), Failure> {
    let source = options.source()?;
    let client = session.client(|mut settings| {
        if let Some(protocol) = options.protocol {
            settings = settings.events_protocol(protocol);
        }
        if let Some(timeout) = options.timeout {
            settings = settings.events_publish_timeout(timeout);
        }
        settings
    })?;
    match source {
        Source::Line(template, kwargs) if options.count == 1 => {
            let event = template.event(kwargs)?;
            // Not `emit`, which logs the failure that is told here.
            let emitted = client.start_emit(&event).and_then(|receipt| receipt.wait());
            let emitted = emitted.map_err(|error| Failure::sending(&client, error));
            report::one(session.output, &event, &emitted)?;
            emitted
        }
        Source::Line(template, kwargs) => {
            let interrupt = session.interrupt.politely();
            let report = Report::new(session.output, Some(options.count));
            let mut pipeline = Pipeline::of_one_event(&client, report);
            for number in 0..options.count {
                if interrupt.check().is_err() || pipeline.is_pointless() {
                    break;
                }
                pipeline.take(None, template.event(kwargs.clone()))?;
                // As the first one ends, so do the others.
                if number == 0 {
                    pipeline.settle_first()?;
                }
            }
            pipeline.end(interrupt)
        }
        Source::Kwargs(template) => stream(session, &client, |text| template.event(line::object(text)?)),
        Source::Events(priority) => stream(session, &client, |text| line::read(text, priority)),
    }
}

/// Emits each line of stdin as it comes.
fn stream(
    session: &Session,
    client: &zc_events::EventClient,
    read: impl Fn(&str) -> Result<Event, Failure>,
) -> Result<(), Failure> {
    if io::stdin().is_terminal() {
        note("reading events from this terminal, one JSON object a line; Ctrl-D ends");
    }
    let interrupt = session.interrupt.politely();
    let lines = lines::of_stdin()?;
    let mut pipeline = Pipeline::new(client, Report::new(session.output, None));
    while interrupt.check().is_ok() && !pipeline.is_pointless() {
        let next = if pipeline.is_empty() {
            match lines.recv_timeout(TICK) {
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
                Ok(line) => line,
            }
        } else {
            match lines.try_recv() {
                Err(TryRecvError::Empty) => {
                    pipeline.settle_first()?;
                    continue;
                }
                Err(TryRecvError::Disconnected) => break,
                Ok(line) => line,
            }
        };
        match next {
            (number, Ok(text)) if text.trim().is_empty() => pipeline.skip(number),
            (number, text) => pipeline.take(Some(number), text.and_then(|text| read(&text)))?,
        }
    }
    pipeline.end(interrupt)
}
