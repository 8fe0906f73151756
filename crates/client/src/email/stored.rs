//! An e-mail whose bodies and attachments are stored: their keys, and the messages that tell of it. Keys and messages are
//! those of Python's `generate_email_data`.

use std::collections::HashSet;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use time::OffsetDateTime;
use zc_events_protocol::Event;

use crate::{CallRequest, Error, EventClient, Result};

/// By which its receivers know it, on all ways.
const EVENT_TYPE: &str = "send_email";

/// An e-mail that is stored and can be sent, once or, after a failure, again: its message stays the same, and so does its
/// UUID. Of the three ways to send it, the first is that of [`EventClient::send_email`](crate::EventClient::send_email).
///
/// ```
/// # use zc_events::{Channel, Email, EventClient, Settings};
/// # let settings = Settings::builder().broker_url("memory://").events_content_url("memory://").staging_name("test").build()?;
/// # let client = EventClient::new(settings)?;
/// let stored = client.store_email(&Email::new().to("ada@example.com").plaintext_body("Lunch is ready."))?;
/// // As zc_events does since 0.2, as `zc_events.contrib.email` does, and as zc_events 0.1 did. Nobody listens here.
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
    pub(crate) fn new(uuid: String, kwargs: &Map<String, Value>) -> Result<Self> {
        let event = event(&uuid, kwargs)?;
        Ok(Self { uuid, event })
    }

    /// The UUID of the e-mail: its `task_id`, and a part of its keys. The id of a message that tells of it is another.
    #[must_use]
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// The message, as it goes to the exchange for notifications.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// What the message says: addresses, subject, keys.
    #[must_use]
    pub fn data(&self) -> Value {
        let mut data = self.event.kwargs().clone();
        data.insert("task_id".to_owned(), self.uuid.clone().into());
        data.into()
    }

    /// The call of the function `send_email`, which `zc_events.contrib.email.send` makes: to be waited for, or with
    /// [`CallRequest::no_wait`], as it is there unless asked otherwise.
    ///
    /// # Errors
    /// As for [`CallRequest::data`].
    pub fn post(&self, client: &EventClient) -> Result<CallRequest> {
        client.post(EVENT_TYPE).data(self.data())
    }

    /// The event that zc_events 0.1 emitted for it, to the exchange for events, with an id of its own: without
    /// `is_transactional`, `unsubscribe_group` and a priority.
    ///
    /// # Errors
    /// [`Error::Encode`].
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

/// Where the parts of an e-mail are stored.
#[derive(Default)]
pub(crate) struct Keys {
    folder: String,
    pub(crate) plaintext: Option<String>,
    pub(crate) html: Option<String>,
    pub(crate) attachments: Vec<String>,
    taken: HashSet<String>,
}

impl Keys {
    /// Those of the e-mail with this UUID: `<date>/<unix time>_<uuid>/..`. The date is that of UTC, where Python has its
    /// machine's.
    pub(crate) fn new(uuid: &str, at: SystemTime) -> Result<Self> {
        let seconds = at.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok());
        let date =
            seconds.and_then(|seconds| Some((seconds, OffsetDateTime::from_unix_timestamp(seconds).ok()?.date())));
        let (seconds, date) = date
            .ok_or_else(|| Error::config("the clock is not between the years 1970 and 9999: no e-mail can be dated"))?;
        let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
        Ok(Self { folder: format!("{year:04}-{month:02}-{day:02}/{seconds}_{uuid}"), ..Self::default() })
    }

    pub(crate) fn html(&mut self) -> String {
        self.html.insert(format!("{}/html", self.folder)).clone()
    }

    pub(crate) fn plaintext(&mut self) -> String {
        self.plaintext.insert(format!("{}/plaintext", self.folder)).clone()
    }

    /// That of the next attachment. Where the name is taken, a number is put before its ending.
    pub(crate) fn attachment(&mut self, name: &str) -> String {
        let mut free = name.to_owned();
        let mut number = 1;
        while !self.taken.insert(free.clone()) {
            number += 1;
            free = match name.rsplit_once('.') {
                Some((stem, ending)) if !stem.is_empty() => format!("{stem} ({number}).{ending}"),
                _ => format!("{name} ({number})"),
            };
        }
        let key = format!("{}/attachment_{free}", self.folder);
        self.attachments.push(key.clone());
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn keys_are_made_of_date_time_and_uuid() {
        let at = UNIX_EPOCH + Duration::from_secs(1_795_468_637);
        let mut keys = Keys::new("u-1", at).unwrap();
        assert_eq!(keys.html(), "2026-11-23/1795468637_u-1/html");
        assert_eq!(keys.plaintext(), "2026-11-23/1795468637_u-1/plaintext");
        assert_eq!(keys.attachment("f.pdf"), "2026-11-23/1795468637_u-1/attachment_f.pdf");
        assert!(Keys::new("u-1", UNIX_EPOCH - Duration::from_secs(1)).is_err());
        assert!(Keys::new("u-1", UNIX_EPOCH + Duration::from_secs(1 << 50)).is_err());
    }

    #[test]
    fn no_attachment_takes_the_place_of_another() {
        let mut keys = Keys::default();
        let names =
            ["f.pdf", "f.pdf", "f (2).pdf", "f.pdf", "noend", "noend", ".hidden", ".hidden", "a.tar.gz", "a.tar.gz"];
        let made: Vec<String> = names.iter().map(|name| keys.attachment(name)).collect();
        assert_eq!(
            made.iter().map(|key| key.strip_prefix("/attachment_").unwrap()).collect::<Vec<_>>(),
            [
                "f.pdf",
                "f (2).pdf",
                "f (2) (2).pdf",
                "f (3).pdf",
                "noend",
                "noend (2)",
                ".hidden",
                ".hidden (2)",
                "a.tar.gz",
                "a.tar (2).gz"
            ]
        );
        assert_eq!(keys.attachments, made);
    }

    #[test]
    fn debug_shows_the_uuid_alone() {
        let kwargs = serde_json::json!({"to": ["canary@h"], "subject": "canary"});
        let stored = StoredEmail::new("u-1".to_owned(), kwargs.as_object().unwrap()).unwrap();
        assert_eq!(format!("{stored:?}"), "StoredEmail { uuid: \"u-1\", .. }");
    }
}
