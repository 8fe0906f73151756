//! Sends notifications: events for the services that write to people, on their own exchange.

use zc_events_protocol::{Channel, Event, Notification};

use super::emit::about;
use super::{EmitReceipt, EventClient, To};
use crate::{PushNotification, Result};

impl EventClient {
    /// Sends a notification to the exchange for notifications, with the routing key of its channel, and waits for the
    /// broker's confirm as [`EventClient::emit`] does.
    ///
    /// ```
    /// # use zc_events::{Channel, Error, Event, EventClient, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").staging_name("test").build()?;
    /// let client = EventClient::new(settings)?;
    /// let event = Event::new("order_shipped").set("to", ["a@b.c"])?.set("subject", "On its way")?;
    /// // No queue is bound yet, so this reports an error.
    /// assert!(matches!(client.notify(Channel::Email, &event), Err(Error::Unroutable { .. })));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`EventClient::emit`].
    #[doc(alias = "emit_microservice_email_notification")]
    #[doc(alias = "emit_microservice_push_notification")]
    #[doc(alias = "emit_microservice_text_notification")]
    pub fn notify(&self, channel: Channel, event: &Event) -> Result<()> {
        self.start_notify(channel, event)?.wait()
    }

    /// Like [`EventClient::notify`], but the confirm is waited for later.
    ///
    /// # Errors
    /// As for [`EventClient::start_emit`].
    pub fn start_notify(&self, channel: Channel, event: &Event) -> Result<EmitReceipt> {
        self.hand_over_event(To::Notifications(channel.routing_key()), &about(event), |options| {
            Ok(Notification::new(channel, event.clone()).encode(options)?)
        })
    }

    /// Sends a push notification, as [`EventClient::notify`] does: the event `send_push_notification`, with
    /// `microservice.notification.push`.
    ///
    /// ```
    /// # use zc_events::{Error, EventClient, PushNotification, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").staging_name("test").build()?;
    /// let client = EventClient::new(settings)?;
    /// let push = PushNotification::new("user-1").notification_type("order").title("On its way").data([("order", 7)])?;
    /// // No queue is bound yet, so this reports an error.
    /// assert!(matches!(client.send_push_notification(&push), Err(Error::Unroutable { .. })));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`EventClient::emit`].
    pub fn send_push_notification(&self, push: &PushNotification) -> Result<()> {
        self.notify(Channel::Push, &push.to_event()?)
    }
}
