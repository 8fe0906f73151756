//! A notification: an event for the service that talks to people.

use crate::names::NOTIFICATION_TASK;
use crate::{EncodeError, EncodeOptions, Encoded, Event};

/// The way to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// With which it is published to the notifications exchange.
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

    /// The channel of a message that was published with this routing key. `None` where it names none: Celery's router
    /// publishes every notification with [`NOTIFICATION_WILDCARD`](crate::names::NOTIFICATION_WILDCARD), literally.
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
    /// The way it takes.
    pub channel: Channel,
    /// What it says.
    pub event: Event,
}

impl Notification {
    /// A notification.
    #[must_use]
    pub fn new(channel: Channel, event: Event) -> Self {
        Self { channel, event }
    }

    /// Puts it on the wire, in protocol 1 unless told otherwise.
    ///
    /// # Errors
    /// As for [`Event::encode`].
    pub fn encode(&self, options: &EncodeOptions) -> Result<Encoded, EncodeError> {
        self.event.encode_as(NOTIFICATION_TASK, options)
    }
}
