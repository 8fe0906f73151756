//! Calls to the broker that it may refuse. It refuses by closing the channel (and an unknown queue type by closing the
//! connection), so such calls run on a channel of their own, which is replaced after a refusal. `declare`, `inspect`
//! and `remove` know the calls.

use amiquip::Channel;
use zc_events_protocol::{Deadline, Outcome, Stage};

use super::connection::BrokerConnection;
use super::failure::{self, ACCESS_REFUSED, AmqpCause, INTERNAL_ERROR, NOT_IMPLEMENTED};
use crate::{Error, Result};

/// The broker's reply to one call.
pub(super) enum Reply<T = ()> {
    Ok(T),
    Refused { code: u16, text: String },
}

impl<T> Reply<T> {
    pub(super) fn text(&self) -> &str {
        match self {
            Reply::Ok(_) => "",
            Reply::Refused { text, .. } => text,
        }
    }

    pub(super) fn or_refuse(self, doing: &str) -> Result<T> {
        match self {
            Reply::Ok(value) => Ok(value),
            Reply::Refused { text, .. } => Err(Error::Rejected { why: format!("{doing}: the broker refused: {text}") }),
        }
    }
}

/// Runs calls over a connection, by a deadline.
pub(super) struct ThrowawayChannel<'a> {
    connection: &'a BrokerConnection,
    channel: Option<Channel>,
    /// Whether the broker closed the connection because of the last call.
    pub(super) cost_connection: bool,
    deadline: Deadline,
}

impl<'a> ThrowawayChannel<'a> {
    pub(super) fn new(connection: &'a BrokerConnection, deadline: Deadline) -> Self {
        Self { connection, channel: None, cost_connection: false, deadline }
    }

    /// Runs one call.
    pub(super) fn call<T>(&mut self, doing: &str, call: impl Fn(&Channel) -> amiquip::Result<T>) -> Result<Reply<T>> {
        // Outlives the channel, since closing the channel is a blocking call, too.
        let guard = self.connection.guard(self.deadline);
        let channel = match self.channel.take() {
            Some(channel) => channel,
            None => self.connection.open_channel(Stage::Declare, &guard)?,
        };
        match call(&channel) {
            Ok(value) => {
                self.channel = Some(channel);
                Ok(Reply::Ok(value))
            }
            Err(_) if guard.has_fired() => Err(failure::timeout(Stage::Declare)),
            Err(error @ amiquip::Error::ServerClosedChannel { .. }) => match failure::cause(&error) {
                AmqpCause::Refused { code, text } if code != ACCESS_REFUSED => Ok(Reply::Refused { code, text }),
                AmqpCause::Refused { code, text } => Ok(Reply::Refused {
                    code,
                    text: format!("{text} (the user lacks a permission: `rabbitmqctl set_permissions`)"),
                }),
                _ => Err(failure::failed(&error, doing, Outcome::NotSent)),
            },
            Err(error) => {
                self.cost_connection =
                    matches!(failure::cause(&error), AmqpCause::Refused { code: NOT_IMPLEMENTED | INTERNAL_ERROR, .. });
                self.connection.note_dead();
                Err(failure::failed(&error, doing, Outcome::NotSent))
            }
        }
    }
}

impl Drop for ThrowawayChannel<'_> {
    fn drop(&mut self) {
        let _guard = self.connection.guard(self.deadline);
        self.channel = None;
    }
}
