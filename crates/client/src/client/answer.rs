//! The answer of another service to a request for a resource, and the ways to read it.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use zc_events_protocol::Reply;
use zc_events_protocol::resource::{Document, Resource};

use super::page::Page;
use super::remote_request::RemoteRequest;
use crate::{Error, RemoteFailure, Result};

/// An answer: a status and a JSON:API document. `Debug` does not show the body.
#[derive(Clone)]
pub struct Answer {
    resource: String,
    reply: Reply,
    /// The request that it answers.
    request: Option<Arc<RemoteRequest>>,
}

impl Answer {
    pub(super) fn new(request: Arc<RemoteRequest>, reply: Reply) -> Self {
        Self { resource: request.resource().to_owned(), reply, request: Some(request) }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.reply.status
    }

    /// The body as JSON; `None` for an empty body, as with a status of 204.
    ///
    /// # Errors
    /// [`Error::Decode`].
    pub fn data(&self) -> Result<Option<Value>> {
        self.reply.document().map_err(|error| self.unreadable(error))
    }

    /// The document. [`Document::remote_resource`] reads its parts by name, for programs that have no type for it.
    ///
    /// # Errors
    /// [`Error::Decode`].
    pub fn document(&self) -> Result<Document> {
        let data = self.data()?.unwrap_or(Value::Null);
        Document::from_value(data).map_err(|error| self.unreadable(error))
    }

    /// The attributes of the resource, with its included resources if `T` has fields for them; see
    /// [`EventClient::get_remote_resource`](crate::EventClient::get_remote_resource).
    ///
    /// # Errors
    /// [`Error::Decode`], which names the field that does not match, but not its value.
    pub fn attributes<T: DeserializeOwned>(&self) -> Result<T> {
        self.document()?.attributes().map_err(|error| self.unreadable(error))
    }

    /// The resource with its id, type, relationships, links and meta.
    ///
    /// # Errors
    /// As for [`Answer::attributes`].
    pub fn resource<T: DeserializeOwned>(&self) -> Result<Resource<T>> {
        self.document()?.resource().map_err(|error| self.unreadable(error))
    }

    /// The resources of a list.
    ///
    /// # Errors
    /// As for [`Answer::attributes`].
    pub fn page<T: DeserializeOwned>(&self) -> Result<Page<T>> {
        let document = self.document()?;
        let items = document.resources().map_err(|error| self.unreadable(error))?;
        Ok(Page::new(items, document, self.request.clone()))
    }

    /// The answer that an error was created from.
    pub(super) fn of_failure(resource: String, failure: RemoteFailure) -> Self {
        Self { resource, reply: failure.into_reply(), request: None }
    }

    /// The answer, unless it reports a failure.
    ///
    /// # Errors
    /// [`Error::Remote`] for a status of 400 or above.
    pub fn or_remote_error(self) -> Result<Self> {
        if self.reply.is_error() { Err(Error::remote(&self.resource, self.reply)) } else { Ok(self) }
    }

    fn unreadable(&self, error: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::decode(&format!("the answer to the request for {}", self.resource), error)
    }
}

impl PartialEq for Answer {
    /// Compares the resource and the reply. The requests may differ.
    fn eq(&self, other: &Self) -> bool {
        self.resource == other.resource && self.reply == other.reply
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("resource", &self.resource)
            .field("status", &self.reply.status)
            .finish_non_exhaustive()
    }
}
