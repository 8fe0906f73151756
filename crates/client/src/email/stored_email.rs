//! An e-mail whose bodies and attachments are stored, and its messages, as in Python's `generate_email_data`.

use std::fmt;

use serde_json::{Map, Value};
use zc_events_protocol::Event;

use super::blob_keys::EmailKeys;
use super::compose::Email;
use crate::Result;

/// The event type of all its messages, and the key of the call.
pub(crate) const EVENT_TYPE: &str = "send_email";

/// A stored e-mail that can be sent, and sent again after a failure: its message and its UUID stay the same. There are three
/// ways to send it; [`EventClient::send_email`](crate::EventClient::send_email) uses the first.
///
/// ```
/// # use zc_events::{Channel, Email, EventClient, Settings};
/// # let settings = Settings::builder().broker_url("memory://").events_content_url("memory://").staging_name("test").build()?;
/// # let client = EventClient::new(settings)?;
/// let stored = client.store_email(&Email::new().to("ada@example.com").plaintext_body("Lunch is ready."))?;
/// // As zc_events since 0.2, as `zc_events.contrib.email`, and as zc_events 0.1. No e-mail service is running.
/// assert!(client.send_stored_email(&stored).is_err());
/// assert!(stored.post(&client)?.no_wait().is_err());
/// assert!(client.emit(&stored.legacy_event()?).is_err());
/// # Ok::<(), zc_events::Error>(())
/// ```
#[derive(Clone)]
pub struct StoredEmail {
    uuid: String,
    event: Event,
}

impl StoredEmail {
    /// The e-mail with this UUID, whose blobs are stored under these keys.
    pub(crate) fn new(uuid: String, email: &Email, keys: &EmailKeys) -> Result<Self> {
        let event = event(&uuid, &email.kwargs(keys))?;
        Ok(Self { uuid, event })
    }

    /// The UUID of the e-mail: its `task_id`, and a part of its keys. It differs from the id of the message.
    #[must_use]
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// The message for the exchange for notifications.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The data of the message: addresses, subject, keys.
    #[must_use]
    pub fn data(&self) -> Value {
        let mut data = self.event.kwargs().clone();
        data.insert("task_id".to_owned(), self.uuid.clone().into());
        data.into()
    }

    /// The event that zc_events 0.1 emitted to the exchange for events. It has an id of its own, and no `is_transactional`,
    /// `unsubscribe_group` or priority.
    ///
    /// # Errors
    /// [`Error::Encode`](crate::Error::Encode).
    pub fn legacy_event(&self) -> Result<Event> {
        let mut kwargs = self.event.kwargs().clone();
        for name in ["is_transactional", "unsubscribe_group"] {
            kwargs.remove(name);
        }
        Ok(event(&self.uuid, &kwargs)?.no_priority())
    }
}

fn event(uuid: &str, kwargs: &Map<String, Value>) -> Result<Event> {
    let event = Event::new(EVENT_TYPE).task_id(uuid);
    Ok(kwargs.iter().try_fold(event, |event, (name, value)| event.set(name, value))?)
}

impl fmt::Debug for StoredEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredEmail").field("uuid", &self.uuid).finish_non_exhaustive()
    }
}

impl Email {
    /// The keyword arguments of the message, as in Python's `generate_email_data`, without `task_id`.
    pub(crate) fn kwargs(&self, keys: &EmailKeys) -> Map<String, Value> {
        let list = |list: &Vec<String>| if list.is_empty() { Value::Null } else { list.clone().into() };
        let headers: Map<String, Value> =
            self.headers.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let mut kwargs = Map::new();
        for (name, value) in [
            ("from_email", self.from.clone().into()),
            ("to", list(&self.to)),
            ("cc", list(&self.cc)),
            ("bcc", list(&self.bcc)),
            ("reply_to", list(&self.reply_to)),
            ("subject", self.subject.clone().into()),
            ("plaintext_body_key", keys.plaintext.clone().into()),
            ("html_body_key", keys.html.clone().into()),
            ("attachments_keys", keys.attachments.clone().into()),
            ("headers", if headers.is_empty() { Value::Null } else { headers.into() }),
            ("user_id", self.user_id.clone()),
            ("resource_type", self.resource_type.clone().into()),
            ("resource_id", self.resource_id.clone()),
            ("is_transactional", self.is_transactional.into()),
        ] {
            kwargs.insert(name.to_owned(), value);
        }
        if !self.unsubscribe_group.is_null() {
            kwargs.insert("unsubscribe_group".to_owned(), self.unsubscribe_group.clone());
        }
        kwargs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_only_the_uuid() {
        let email = Email::new().to("canary@h").subject("canary");
        let stored = StoredEmail::new("u-1".to_owned(), &email, &EmailKeys::default()).unwrap();
        assert_eq!(format!("{stored:?}"), "StoredEmail { uuid: \"u-1\", .. }");
    }
}
