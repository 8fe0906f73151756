//! What amiquip's errors mean. The only place where they are told apart; nothing of
//! them but text leaves this folder, and they carry no credentials, since amiquip is given none.

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

/// An amiquip error, by meaning.
pub(super) enum Cause {
    /// The broker closed the channel or the connection and said why.
    Refused { code: u16, text: String },
    /// The login was refused, or cut off at a moment that looks like it.
    Login,
    /// The connection is gone.
    Lost(String),
}

pub(super) fn cause(error: &amiquip::Error) -> Cause {
    match error {
        amiquip::Error::ServerClosedChannel { code, message, .. }
        | amiquip::Error::ServerClosedConnection { code, message } => {
            Cause::Refused { code: *code, text: message.clone() }
        }
        amiquip::Error::InvalidCredentials => Cause::Login,
        amiquip::Error::MissedServerHeartbeats => Cause::Lost("the broker's heartbeats stopped".to_owned()),
        amiquip::Error::IoThreadPanic => Cause::Lost("the client library's I/O thread ended".to_owned()),
        other => Cause::Lost(other.to_string()),
    }
}

/// In words.
pub(super) fn reason(error: &amiquip::Error) -> String {
    match cause(error) {
        Cause::Refused { text, .. } => text,
        Cause::Login => "the login was cut off".to_owned(),
        Cause::Lost(why) => why,
    }
}

/// The error of a call within a connection. `outcome` is that of a lost connection.
pub(super) fn failed(error: &amiquip::Error, doing: &str, outcome: Outcome) -> Error {
    match cause(error) {
        Cause::Refused {
            code: ACCESS_REFUSED | NOT_FOUND | RESOURCE_LOCKED | PRECONDITION_FAILED | NOT_ALLOWED,
            text,
        } => Error::Rejected { why: format!("{doing}: the broker refused: {text}") },
        Cause::Refused { code, text } => lost(doing, format!("the broker closed it ({code} {text})"), outcome),
        Cause::Login => lost(doing, "the login was cut off".to_owned(), outcome),
        Cause::Lost(why) => lost(doing, why, outcome),
    }
}

pub(super) fn lost(doing: &str, why: String, outcome: Outcome) -> Error {
    Error::Unavailable {
        what: format!("{doing}: the connection to the broker was lost"),
        outcome,
        source: Some(why.into()),
    }
}

/// The error of opening a connection; `setting` is where the URL came from.
pub(super) fn not_opened(error: &amiquip::Error, node: &Node, setting: &str) -> Error {
    let cause = match error {
        // Asked to say so, the broker answers wrong credentials with `connection.close`,
        // which amiquip does not expect there and does not show.
        amiquip::Error::FrameUnexpected => Cause::Login,
        other => cause(other),
    };
    match cause {
        Cause::Login | Cause::Refused { code: ACCESS_REFUSED, .. } => Error::Rejected {
            why: format!(
                "the broker at {node} refused the login of user `{}`: check user and password in {setting}, and that the user may log in from here (RabbitMQ lets `guest` in from its own machine only)",
                node.user
            ),
        },
        Cause::Refused { code: NOT_ALLOWED, text } => Error::Rejected {
            why: format!(
                "the broker at {node} does not let user `{}` into the virtual host `{}` ({text}): check the part behind the port in {setting}, and the user's permissions",
                node.user, node.vhost
            ),
        },
        Cause::Refused { code, text } => {
            unreachable(node, setting, format!("it closed the connection: {code} {text}").into())
        }
        Cause::Lost(why) => unreachable(node, setting, why.into()),
    }
}

/// Whether the login was fine, and the virtual host was not.
pub(super) fn is_about_vhost(error: &amiquip::Error) -> bool {
    matches!(cause(error), Cause::Refused { code: NOT_ALLOWED, .. })
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

/// No connection, for a reason below AMQP.
pub(super) fn not_connected(error: io::Error, node: &Node, setting: &str) -> Error {
    if error.kind() == io::ErrorKind::TimedOut {
        return Error::Unavailable {
            what: format!(
                "the broker at {node} did not answer in time: check host and port in {setting}, and that no firewall is in between"
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
            "cannot connect to the broker at {node}: is RabbitMQ running there, and are host and port in {setting} right?"
        ),
        outcome: Outcome::NotSent,
        source: Some(source),
    }
}

pub(super) fn timeout(stage: Stage) -> Error {
    Error::Timeout { stage }
}
