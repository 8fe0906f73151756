//! The event that carries a request for a resource. The answer comes back in the reply store.

use serde_json::{Map, Value};

use super::resource_request::ResourceRequest;
use crate::truthiness::is_falsy;
use crate::{EncodeError, EncodeOptions, Encoded, Event};

impl ResourceRequest {
    /// The event that the request is sent as.
    ///
    /// # Errors
    /// [`EncodeError::BadName`] for an empty resource or response key, and for primary keys that services would answer
    /// with the whole list.
    pub fn to_event(&self) -> Result<Event, EncodeError> {
        self.check()?;
        let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::String);
        let mut kwargs = Map::new();
        let mut put = |key: &str, value| kwargs.insert(key.to_owned(), value);
        put("method", self.method.as_str().into());
        put("user_id", self.user_id.clone());
        put("roles", self.roles.clone().into());
        put("pk", self.pk.clone());
        put("query_string", text(&self.query_string()));
        put("related_resource", text(&self.related_resource));
        put("body", self.body.clone());
        put("response_key", self.response_key.clone().into());
        if self.relationship.is_some() {
            put("relationship", text(&self.relationship));
        }
        let event = Event::from_kwargs(self.event_type(), kwargs).with_id(self.id.clone());
        Ok(match self.priority {
            Some(priority) => event.priority(priority),
            None => event.no_priority(),
        })
    }

    /// Encodes the message, in protocol 1 unless the options say otherwise.
    ///
    /// # Errors
    /// As for [`ResourceRequest::to_event`] and [`Event::encode`].
    pub fn encode(&self, options: &EncodeOptions) -> Result<Encoded, EncodeError> {
        self.to_event()?.encode(options)
    }

    fn check(&self) -> Result<(), EncodeError> {
        if self.resource.is_empty() {
            return Err(EncodeError::BadName { what: "resource", why: "is empty" });
        }
        if self.response_key.is_empty() {
            return Err(EncodeError::BadName { what: "response key", why: "is empty" });
        }
        // A list or an object is not an id either.
        if !self.pk.is_null() && is_falsy(&self.pk) || self.pk.is_array() || self.pk.is_object() {
            return Err(EncodeError::BadName {
                what: "id",
                why: "must not be empty, 0, a list or an object: services would return the whole list",
            });
        }
        Ok(())
    }
}
