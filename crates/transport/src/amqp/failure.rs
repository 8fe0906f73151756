//! What amiquip's errors mean. Only this file tells them apart. Only their text leaves this folder; it contains no
//! credentials, since amiquip gets none.

use std::io;

use zc_events_net::ResolveError;
use zc_events_protocol::{Outcome, Stage};

use super::node::Node;
use crate::Error;

/// AMQP reply codes.
pub(super) const ACCESS_REFUSED: u16 = 403;
pub(super) const NOT_FOUND: u16 = 404;
const RESOURCE_LOCKED: u16 = 405;
pub(super) const PRECONDITION_FAILED: u16 = 406;
const NOT_ALLOWED: u16 = 530;
pub(super) const NOT_IMPLEMENTED: u16 = 540;
pub(super) const INTERNAL_ERROR: u16 = 541;

/// The meaning of an amiquip error.
pub(super) enum AmqpCause {
    /// The broker closed the channel or the connection and said why.
    Refused { code: u16, text: String },
    /// The login was refused, or the connection ended at a moment that looks like a refusal.
    Login,
    /// The connection is lost.
    Lost(String),
}

pub(super) fn cause(error: &amiquip::Error) -> AmqpCause {
    match error {
        amiquip::Error::ServerClosedChannel { code, message, .. }
        | amiquip::Error::ServerClosedConnection { code, message } => {
            AmqpCause::Refused { code: *code, text: message.clone() }
        }
        amiquip::Error::InvalidCredentials => AmqpCause::Login,
        amiquip::Error::MissedServerHeartbeats => AmqpCause::Lost("the broker's heartbeats stopped".to_owned()),
        amiquip::Error::IoThreadPanic => AmqpCause::Lost("the client library's I/O thread ended".to_owned()),
        other => AmqpCause::Lost(other.to_string()),
    }
}

/// The reason, in words.
pub(super) fn reason(error: &amiquip::Error) -> String {
    match cause(error) {
        AmqpCause::Refused { text, .. } => text,
        AmqpCause::Login => "the login was cut off".to_owned(),
        AmqpCause::Lost(why) => why,
    }
}

/// The error of a call on an open connection. `outcome` is the outcome if the connection is lost.
pub(super) fn failed(error: &amiquip::Error, doing: &str, outcome: Outcome) -> Error {
    match cause(error) {
        AmqpCause::Refused {
            code: ACCESS_REFUSED | NOT_FOUND | RESOURCE_LOCKED | PRECONDITION_FAILED | NOT_ALLOWED,
            text,
        } => Error::Rejected { why: format!("{doing}: the broker refused: {text}") },
        AmqpCause::Refused { code, text } => lost(doing, format!("the broker closed it ({code} {text})"), outcome),
        AmqpCause::Login => lost(doing, "the login was cut off".to_owned(), outcome),
        AmqpCause::Lost(why) => lost(doing, why, outcome),
    }
}

pub(super) fn lost(doing: &str, why: String, outcome: Outcome) -> Error {
    Error::Unavailable {
        what: format!("{doing}: the connection to the broker was lost"),
        outcome,
        source: Some(why.into()),
    }
}

/// The error of opening a connection. `setting` is where the URL came from.
pub(super) fn not_opened(error: &amiquip::Error, node: &Node, setting: &str) -> Error {
    let cause = match error {
        // As requested, the broker answers wrong credentials with `connection.close`. amiquip does not expect it there
        // and does not show it.
        amiquip::Error::FrameUnexpected => AmqpCause::Login,
        other => cause(other),
    };
    match cause {
        AmqpCause::Login | AmqpCause::Refused { code: ACCESS_REFUSED, .. } => Error::Rejected {
            why: format!(
                "the broker at {node} refused the login of user `{}`: check user and password in {setting}, and that the user may log in from this machine (by default, RabbitMQ lets `guest` log in only from its own machine)",
                node.user
            ),
        },
        AmqpCause::Refused { code: NOT_ALLOWED, text } => Error::Rejected {
            why: format!(
                "the broker at {node} refused user `{}` access to the virtual host `{}` ({text}): check the part after the port in {setting}, and the user's permissions",
                node.user, node.vhost
            ),
        },
        AmqpCause::Refused { code, text } => {
            unreachable(node, setting, format!("it closed the connection: {code} {text}").into())
        }
        AmqpCause::Lost(why) => unreachable(node, setting, why.into()),
    }
}

/// Whether the broker accepted the login and refused the virtual host.
pub(super) fn is_about_vhost(error: &amiquip::Error) -> bool {
    matches!(cause(error), AmqpCause::Refused { code: NOT_ALLOWED, .. })
}

/// The host name has no address.
pub(super) fn not_resolved(error: ResolveError, node: &Node, setting: &str) -> Error {
    let reason = if error == ResolveError::TimedOut { "no name server answered in time" } else { "no such name" };
    Error::Unavailable {
        what: format!("the host name of the broker at {node} cannot be resolved ({reason}): check it in {setting}"),
        outcome: Outcome::NotSent,
        source: Some(Box::new(error)),
    }
}

/// There is no connection, for a reason below AMQP.
pub(super) fn not_connected(error: io::Error, node: &Node, setting: &str) -> Error {
    if error.kind() == io::ErrorKind::TimedOut {
        return Error::Unavailable {
            what: format!(
                "the broker at {node} did not answer in time: check host and port in {setting}, and that no firewall blocks the connection"
            ),
            outcome: Outcome::NotSent,
            source: Some(Box::new(error)),
        };
    }
    unreachable(node, setting, Box::new(error))
}

fn unreachable(node: &Node, setting: &str, source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Unavailable {
        what: format!(
            "cannot connect to the broker at {node}: check that RabbitMQ runs there, and host and port in {setting}"
        ),
        outcome: Outcome::NotSent,
        source: Some(source),
    }
}

pub(super) fn timeout(stage: Stage) -> Error {
    Error::Timeout { stage }
}
