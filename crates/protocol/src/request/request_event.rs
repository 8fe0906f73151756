//! The event that carries a request for a resource. The answer comes back in the reply store.

use serde_json::{Map, Value};

use super::resource_request::ResourceRequest;
use crate::truthiness::is_falsy;
use crate::{EncodeError, EncodeOptions, Encoded, Event};

impl ResourceRequest {
    /// The event that carries the request.
    #[must_use]
    pub fn to_event(&self) -> Event {
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
        let event = Event::from_kwargs(self.event_type.clone(), kwargs).with_id(self.id.clone());
        match self.priority {
            Some(priority) => event.priority(priority),
            None => event.no_priority(),
        }
    }

    /// Encodes the request, in protocol 1 unless the options name another.
    ///
    /// # Errors
    /// As for [`Event::encode`]; [`EncodeError::BadName`] for an empty resource or response key, and for ids to which
    /// services would return the whole list.
    pub fn encode(&self, options: &EncodeOptions) -> Result<Encoded, EncodeError> {
        if self.resource.is_empty() {
            return Err(EncodeError::BadName { what: "resource", why: "is empty" });
        }
        if self.response_key.is_empty() {
            return Err(EncodeError::BadName { what: "response key", why: "is empty" });
        }
        if self.no_ids {
            return Err(EncodeError::BadName {
                what: "list of ids",
                why: "must not be empty: services would return the whole list",
            });
        }
        // A list or an object is not an id.
        let is_invalid = !self.pk.is_null() && is_falsy(&self.pk) || self.pk.is_array() || self.pk.is_object();
        if is_invalid {
            return Err(EncodeError::BadName {
                what: "id",
                why: "must not be empty or 0: services would return the whole list",
            });
        }
        self.to_event().encode(options)
    }
}
