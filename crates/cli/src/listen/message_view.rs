//! Prints a message, for people or as JSON.

use std::fmt;
use std::io;
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::{Map, Value};
use zc_events::{Message, MessageKind, Protocol};

use crate::output::{BAD, BOLD, FAINT, Line, Output, time};

/// How many characters of an unreadable body are shown.
const EXCERPT: usize = 200;

/// A line of JSON about a message. docs/cli.md lists the members, which are stable.
#[derive(Serialize)]
struct TimedMessage<'a> {
    time: String,
    #[serde(flatten)]
    message: MessageJson<'a>,
}

/// A message as JSON.
#[derive(Serialize)]
pub(crate) struct MessageJson<'a> {
    kind: &'static str,
    event_type: Option<&'a str>,
    task: Option<&'a str>,
    id: Option<&'a str>,
    task_id: Option<&'a str>,
    message_id: Option<&'a str>,
    parent_id: Option<&'a str>,
    protocol: Option<u8>,
    args: &'a [Value],
    kwargs: &'a Map<String, Value>,
    headers: Map<String, Value>,
    priority: Option<u8>,
    exchange: &'a str,
    routing_key: &'a str,
    size: usize,
    request: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

impl<'a> MessageJson<'a> {
    pub(crate) fn new(message: &'a Message) -> Self {
        let (reason, error) = message.error().unzip();
        Self {
            kind: kind(message.kind()),
            event_type: Some(message.event_type()).filter(|event_type| !event_type.is_empty()),
            task: message.task_name(),
            id: message.id(),
            task_id: message.task_id(),
            message_id: message.message_id().or(message.id()),
            parent_id: message.parent_id(),
            protocol: message.protocol().map(number),
            args: message.args(),
            kwargs: message.kwargs(),
            headers: message.headers(),
            priority: message.priority(),
            exchange: message.exchange(),
            routing_key: message.routing_key(),
            size: message.body().len(),
            request: matches!(message.kind(), MessageKind::Request | MessageKind::Call),
            body: is_unreadable(message).then(|| excerpt(message.body())),
            error,
            reason,
        }
    }
}

/// Prints a message on one line.
pub(crate) fn print(output: Output, at: SystemTime, message: &Message) -> io::Result<()> {
    if output.is_json() {
        return output.json(&TimedMessage { time: time(at), message: MessageJson::new(message) });
    }
    output.text(Pretty { at, message })
}

/// The word for a kind of message.
fn kind(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Event => "event",
        MessageKind::Request => "request",
        MessageKind::Call => "call",
        MessageKind::Notification => "notification",
        MessageKind::Unreadable => "unreadable",
        _ => "other",
    }
}

fn number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::V1 => 1,
        _ => 2,
    }
}

fn colour(kind: MessageKind) -> Style {
    match kind {
        MessageKind::Event => AnsiColor::Green.on_default(),
        MessageKind::Request | MessageKind::Call => AnsiColor::Cyan.on_default(),
        MessageKind::Notification => AnsiColor::Magenta.on_default(),
        MessageKind::Unreadable => BAD,
        _ => AnsiColor::Yellow.on_default(),
    }
}

pub(crate) fn is_unreadable(message: &Message) -> bool {
    message.kind() == MessageKind::Unreadable
}

/// The beginning of a body.
pub(crate) fn excerpt(body: &[u8]) -> String {
    // A character has at most 4 bytes.
    let text = String::from_utf8_lossy(&body[..body.len().min(EXCERPT * 4)]);
    let begin: String = text.chars().take(EXCERPT).collect();
    if begin.len() < text.len() || body.len() > EXCERPT * 4 { format!("{begin}...") } else { begin }
}

/// For people: time, kind, type, contents.
struct Pretty<'a> {
    at: SystemTime,
    message: &'a Message,
}

impl fmt::Display for Pretty<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message;
        let at = time(self.at);
        let clock = at.get(11..23).unwrap_or(&at);
        let (kind, colour) = (kind(message.kind()), colour(message.kind()));
        write!(f, "{FAINT}{clock}{FAINT:#} {colour}{kind:12}{colour:#} ")?;
        if let Some((reason, text)) = message.error().filter(|_| is_unreadable(message)) {
            let size = message.body().len();
            write!(f, "{BOLD}{reason}{BOLD:#} {} {FAINT}({size} bytes)", Line(&text))?;
            return write!(f, " {}{FAINT:#}", Line(&excerpt(message.body())));
        }
        let name = match message.kind() {
            MessageKind::Other => message.task_name().unwrap_or_default(),
            _ => message.error().map_or_else(|| message.event_type(), |(reason, _)| reason),
        };
        write!(f, "{BOLD}{}{BOLD:#} ", Line(name))?;
        self.contents(f)?;
        write!(f, " {FAINT}{}", Line(message.id().unwrap_or("no id")))?;
        if let Some(protocol) = message.protocol() {
            write!(f, " v{}", number(protocol))?;
        }
        if let Some(priority) = message.priority() {
            write!(f, " p{priority}")?;
        }
        if !message.routing_key().is_empty() {
            write!(f, " {}", Line(message.routing_key()))?;
        }
        write!(f, "{FAINT:#}")
    }
}

impl Pretty<'_> {
    fn contents(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message;
        if let Some(call) = message.call() {
            let method = call.method.map_or("", |method| method.as_str());
            return write!(f, "{method} {}", Json(&call.data));
        }
        if let Some(request) = message.request() {
            write!(f, "{}", Line(request.method_name.as_deref().unwrap_or("(no method)")))?;
            if let Some(pk) = &request.pk {
                write!(f, " {}", Json(pk))?;
            }
            for name in [&request.related_resource, &request.relationship].into_iter().flatten() {
                write!(f, "/{}", Line(name))?;
            }
            if let Some(query) = request.query_string.filter(|query| !query.is_empty()) {
                write!(f, "?{}", Line(&query))?;
            }
            return match &request.user_id {
                None | Some(Value::Null) => Ok(()),
                Some(user) => write!(f, " user {}", Json(user)),
            };
        }
        let mut kwargs = message.kwargs().clone();
        kwargs.remove("task_id");
        for arg in message.args() {
            write!(f, "{} ", Json(arg))?;
        }
        write!(f, "{}", Json(&Value::Object(kwargs)))
    }
}

/// JSON on one line, for a terminal.
struct Json<'a>(&'a Value);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Line(&self.0.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_of_an_unreadable_body_is_shown() {
        assert_eq!(excerpt(b"{x"), "{x");
        assert_eq!(excerpt(&[b'x'; 5000]), format!("{}...", "x".repeat(200)));
        assert_eq!(excerpt(&[0xff; 2]), "\u{fffd}\u{fffd}");
        assert_eq!(excerpt("é".repeat(200).as_bytes()).chars().count(), 200);
    }
}
