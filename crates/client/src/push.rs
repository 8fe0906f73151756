//! Push notifications. The client sends them.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;
use zc_events_protocol::{Event, to_value};

use crate::Result;

/// A notification on the devices of a user; see
/// [`EventClient::send_push_notification`](crate::EventClient::send_push_notification). Fields that are not
/// set are not sent. Each notification has an id, so sending it again sends the same message. `Debug` shows no values.
#[derive(Clone)]
#[must_use = "a notification does nothing until it is sent"]
pub struct PushNotification {
    id: String,
    kwargs: Map<String, Value>,
}

impl PushNotification {
    /// Creates a notification for this user: `canonical_user_id`.
    pub fn new(canonical_user_id: impl Into<Value>) -> Self {
        Self { id: Uuid::new_v4().to_string(), kwargs: Map::new() }.with("canonical_user_id", canonical_user_id.into())
    }

    /// Sets the type, such as `order`.
    pub fn notification_type(self, kind: impl Into<String>) -> Self {
        self.with("notification_type", kind.into().into())
    }

    /// Sets the title.
    pub fn title(self, title: impl Into<String>) -> Self {
        self.with("title", title.into().into())
    }

    /// Sets the text below the title.
    pub fn body(self, body: impl Into<String>) -> Self {
        self.with("body", body.into().into())
    }

    /// Sets the application that shows it.
    pub fn application(self, application: impl Into<String>) -> Self {
        self.with("application", application.into().into())
    }

    /// Sets data for the application.
    ///
    /// # Errors
    /// [`Error::Encode`](crate::Error::Encode): the data cannot be written as JSON.
    pub fn data<T: Serialize>(self, data: T) -> Result<Self> {
        let data = to_value("data", &data)?;
        Ok(self.with("data", data))
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.kwargs.insert(name.to_owned(), value);
        self
    }

    /// The message.
    pub(crate) fn to_event(&self) -> Result<Event> {
        let event = Event::new("send_push_notification").with_id(&self.id);
        Ok(self.kwargs.iter().try_fold(event, |event, (name, value)| event.set(name, value))?)
    }
}

impl fmt::Debug for PushNotification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.kwargs.keys().collect();
        f.debug_struct("PushNotification").field("id", &self.id).field("kwargs", &names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_keeps_its_id_and_shows_no_values() {
        let push = PushNotification::new("canary").title("canary").body("canary").data(["canary"]).unwrap();
        let (one, two) = (push.to_event().unwrap(), push.to_event().unwrap());
        assert_eq!(one, two);
        assert_ne!(one.id(), PushNotification::new(1).to_event().unwrap().id());
        let shown = format!("{push:?}");
        assert!(shown.contains("title") && !shown.contains("canary"), "{shown}");
        assert!(PushNotification::new(1).data(f64::NAN).is_err());
    }
}
