//! Questions to the broker, each on a throwaway channel, since it answers a "no" by closing
//! that (and an unknown type of queue by closing the connection). What is asked is known in
//! `declare`, `inspect` and `remove`.

use amiquip::Channel;
use zc_events_protocol::{Deadline, Outcome, Stage};

use super::connection::BrokerConnection;
use super::failure::{self, ACCESS_REFUSED, Cause, INTERNAL_ERROR, NOT_IMPLEMENTED};
use crate::{Error, Result};

/// The broker's answer.
pub(super) enum Answer<T = ()> {
    Yes(T),
    No { code: u16, text: String },
}

impl<T> Answer<T> {
    pub(super) fn text(&self) -> &str {
        match self {
            Answer::Yes(_) => "",
            Answer::No { text, .. } => text,
        }
    }

    pub(super) fn or_refuse(self, doing: &str) -> Result<T> {
        match self {
            Answer::Yes(value) => Ok(value),
            Answer::No { text, .. } => Err(Error::Rejected { why: format!("{doing}: the broker refused: {text}") }),
        }
    }
}

/// Puts questions over a connection, by a deadline.
pub(super) struct Asker<'a> {
    connection: &'a BrokerConnection,
    channel: Option<Channel>,
    /// The broker has ended the connection over the last question.
    pub(super) hung: bool,
    deadline: Deadline,
}

impl<'a> Asker<'a> {
    pub(super) fn new(connection: &'a BrokerConnection, deadline: Deadline) -> Self {
        Self { connection, channel: None, hung: false, deadline }
    }

    /// Puts one question.
    pub(super) fn ask<T>(
        &mut self,
        doing: &str,
        question: impl Fn(&Channel) -> amiquip::Result<T>,
    ) -> Result<Answer<T>> {
        // Outlives the channel, whose end is a call, too.
        let guard = self.connection.guard(self.deadline);
        let channel = match self.channel.take() {
            Some(channel) => channel,
            None => self.connection.open_channel(Stage::Declare, &guard)?,
        };
        match question(&channel) {
            Ok(value) => {
                self.channel = Some(channel);
                Ok(Answer::Yes(value))
            }
            Err(_) if guard.has_fired() => Err(failure::timeout(Stage::Declare)),
            Err(error @ amiquip::Error::ServerClosedChannel { .. }) => match failure::cause(&error) {
                Cause::Refused { code, text } if code != ACCESS_REFUSED => Ok(Answer::No { code, text }),
                Cause::Refused { code, text } => Ok(Answer::No {
                    code,
                    text: format!("{text} (the user lacks a permission: `rabbitmqctl set_permissions`)"),
                }),
                _ => Err(failure::failed(&error, doing, Outcome::NotSent)),
            },
            Err(error) => {
                self.hung =
                    matches!(failure::cause(&error), Cause::Refused { code: NOT_IMPLEMENTED | INTERNAL_ERROR, .. });
                self.connection.note_dead();
                Err(failure::failed(&error, doing, Outcome::NotSent))
            }
        }
    }
}

impl Drop for Asker<'_> {
    fn drop(&mut self) {
        let _guard = self.connection.guard(self.deadline);
        self.channel = None;
    }
}
