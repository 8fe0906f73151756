//! `zc-events emit`: emits events from the command line or from lines on stdin. `event_line` parses the lines, `pipeline` limits
//! how many events are unconfirmed, and `report` prints the results.

mod event_line;
mod pipeline;
mod report;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, TryRecvError};
use serde_json::{Map, Value};
use zc_events::{Event, Protocol};

use crate::failure::Failure;
use crate::line_reader::{self, TICK};
use crate::output::note;
use crate::session::Session;
use crate::value_parsers::{self, Json};
use pipeline::Pipeline;
use report::Report;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The event type, such as order_created; `-` reads whole events from stdin, one JSON object per line
    ///
    /// Each line has `event_type` and, if needed, `args` (a list), `kwargs` (an object) and `priority`. Lines that
    /// `zc-events listen` printed are accepted.
    #[arg(value_parser = value_parsers::name())]
    event_type: String,
    /// A positional argument after the event type; may be repeated
    #[arg(long, value_name = "JSON", allow_negative_numbers = true)]
    arg: Vec<String>,
    /// The keyword arguments: a JSON object, @file, or - for stdin (one object per line, one event for each)
    #[arg(long, value_name = "JSON", value_parser = Json::parse)]
    kwargs: Option<Json>,
    /// The priority, 0 to 10 [default: 0]
    #[arg(long, value_name = "N")]
    priority: Option<u8>,
    /// Celery's task protocol, 1 or 2 [default: EVENTS_PROTOCOL]
    #[arg(long, value_name = "N", value_parser = protocol)]
    protocol: Option<Protocol>,
    /// Number of copies, each with a new id
    #[arg(long, value_name = "N", default_value_t = 1, hide_default_value = true, value_parser = value_parsers::whole_number::<u64>(1, u64::MAX))]
    count: u64,
    /// How long to wait for each confirm: 500ms, 5s [default: EVENTS_PUBLISH_TIMEOUT]
    #[arg(long, value_name = "TIME", value_parser = value_parsers::duration)]
    timeout: Option<Duration>,
}

fn protocol(text: &str) -> Result<Protocol, String> {
    match text {
        "1" => Ok(Protocol::V1),
        "2" => Ok(Protocol::V2),
        _ => Err("expected 1 or 2".to_owned()),
    }
}

/// Where the events come from.
enum Source {
    /// One event, once or several times.
    CommandLine(Template, Map<String, Value>),
    /// Lines of stdin with keyword arguments.
    Kwargs(Template),
    /// Lines of stdin with whole events.
    Events(Option<u8>),
}

/// What all events of one command share.
struct Template {
    event_type: String,
    args: Vec<Value>,
    priority: Option<u8>,
}

impl Template {
    fn event(&self, kwargs: Map<String, Value>) -> Result<Event, Failure> {
        event_line::event(&self.event_type, self.args.clone(), kwargs, self.priority)
    }
}

impl Options {
    fn source(&self) -> Result<Source, Failure> {
        let is_stream = matches!(self.kwargs, Some(Json::Stdin)) || self.event_type == "-";
        if is_stream && self.count > 1 {
            return Err(Failure::usage("--count cannot be used with stdin: each line is emitted once"));
        }
        if self.event_type == "-" {
            return match (self.arg.as_slice(), &self.kwargs) {
                ([], None) => Ok(Source::Events(self.priority)),
                _ => Err(Failure::usage("--arg and --kwargs cannot be used with `-`: each line has its own")),
            };
        }
        let args = self.arg.iter().map(|arg| value_parsers::json("--arg", arg)).collect::<Result<_, _>>()?;
        let template = Template { event_type: self.event_type.clone(), args, priority: self.priority };
        let kwargs = match &self.kwargs {
            None => Map::new(),
            Some(Json::Stdin) => {
                template.event(Map::new()).map(drop)?;
                return Ok(Source::Kwargs(template));
            }
            Some(kwargs) => kwargs.read_object("--kwargs")?,
        };
        // Invalid events fail before the command connects.
        template.event(kwargs.clone()).map(drop)?;
        Ok(Source::CommandLine(template, kwargs))
    }
}

/// Emits the events, and prints for each whether the broker confirmed it.
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
        Source::CommandLine(template, kwargs) if options.count == 1 => {
            let event = template.event(kwargs)?;
            // `emit` would log the failure, which is printed here.
            let emitted = client.start_emit(&event).and_then(|receipt| receipt.wait());
            let emitted = emitted.map_err(|error| Failure::sending(&client, error));
            report::one(session.output, &event, &emitted)?;
            emitted
        }
        Source::CommandLine(template, kwargs) => {
            let interrupt = session.interrupt.handle_first();
            let report = Report::new(session.output, Some(options.count));
            let mut pipeline = Pipeline::of_one_event(&client, report);
            for number in 0..options.count {
                if interrupt.check().is_err() || pipeline.is_pointless() {
                    break;
                }
                pipeline.send(None, template.event(kwargs.clone()))?;
                // If the first event fails, the others fail too.
                if number == 0 {
                    pipeline.settle_first()?;
                }
            }
            pipeline.end(interrupt)
        }
        Source::Kwargs(template) => stream(session, &client, |text| template.event(event_line::object(text)?)),
        Source::Events(priority) => stream(session, &client, |text| event_line::read(text, priority)),
    }
}

/// Emits each line of stdin as it comes.
fn stream(
    session: &Session,
    client: &zc_events::EventClient,
    read: impl Fn(&str) -> Result<Event, Failure>,
) -> Result<(), Failure> {
    if io::stdin().is_terminal() {
        note("reading events from the terminal, one JSON object per line; press Ctrl-D to end");
    }
    let interrupt = session.interrupt.handle_first();
    let lines = line_reader::of_stdin()?;
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
            (number, text) => pipeline.send(Some(number), text.and_then(|text| read(&text)))?,
        }
    }
    pipeline.end(interrupt)
}
