//! A notification: an event for the service that sends e-mails, texts and the like to people.

use crate::names::NOTIFICATION_TASK;
use crate::{EncodeError, EncodeOptions, Encoded, Event};

/// How a notification reaches a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Channel {
    /// E-mail.
    Email,
    /// A text message.
    Text,
    /// A push notification.
    Push,
    /// Slack.
    Slack,
}

impl Channel {
    /// The routing key on the notifications exchange.
    ///
    /// ```
    /// use zc_events_protocol::Channel;
    /// assert_eq!(Channel::Email.routing_key(), "microservice.notification.email");
    /// ```
    #[must_use]
    pub fn routing_key(self) -> &'static str {
        match self {
            Channel::Email => "microservice.notification.email",
            Channel::Text => "microservice.notification.text",
            Channel::Push => "microservice.notification.push",
            Channel::Slack => "microservice.notification.slack",
        }
    }

    /// The channel that a routing key names. `None` if it names none: Celery's router publishes every notification with
    /// the literal routing key [`NOTIFICATION_WILDCARD`](crate::names::NOTIFICATION_WILDCARD).
    ///
    /// ```
    /// use zc_events_protocol::{Channel, names};
    /// assert_eq!(Channel::of_routing_key("microservice.notification.push"), Some(Channel::Push));
    /// assert_eq!(Channel::of_routing_key(names::NOTIFICATION_WILDCARD), None);
    /// ```
    #[must_use]
    pub fn of_routing_key(routing_key: &str) -> Option<Self> {
        [Channel::Email, Channel::Text, Channel::Push, Channel::Slack]
            .into_iter()
            .find(|channel| channel.routing_key() == routing_key)
    }
}

/// A notification.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// The channel.
    pub channel: Channel,
    /// The content, as an event.
    pub event: Event,
}

impl Notification {
    /// A notification.
    #[must_use]
    pub fn new(channel: Channel, event: Event) -> Self {
        Self { channel, event }
    }

    /// Encodes the notification, in protocol 1 unless the options name another.
    ///
    /// # Errors
    /// As for [`Event::encode`].
    pub fn encode(&self, options: &EncodeOptions) -> Result<Encoded, EncodeError> {
        self.event.encode_as(NOTIFICATION_TASK, options)
    }
}
