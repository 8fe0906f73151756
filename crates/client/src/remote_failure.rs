//! The answers of services that failed a request or a call. They may contain secrets, so that neither `Debug` nor
//! `Display` shows them.

use std::fmt;

use zc_events_protocol::resource::{Document, ErrorObject};
use zc_events_protocol::{RemoteError, Reply};

/// The answer of a service that failed a request. `Debug` and `Display` do not show it.
#[derive(Clone, PartialEq)]
pub struct RemoteFailure {
    reply: Reply,
}

impl RemoteFailure {
    pub(crate) fn new(reply: Reply) -> Self {
        Self { reply }
    }

    /// The body as JSON; `None` if it is empty or not JSON.
    #[must_use]
    pub fn body(&self) -> Option<serde_json::Value> {
        self.reply.document().ok().flatten()
    }

    /// The errors of a JSON:API document, or the `detail` of a Django REST framework answer.
    #[must_use]
    pub fn errors(&self) -> Vec<ErrorObject> {
        self.body().and_then(|body| Document::from_value(body).ok()).map(|document| document.errors).unwrap_or_default()
    }

    pub(crate) fn into_reply(self) -> Reply {
        self.reply
    }
}

impl fmt::Debug for RemoteFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteFailure").finish_non_exhaustive()
    }
}

/// The answer of a function that failed. `Debug` and `Display` do not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct CallFailure {
    errors: Vec<RemoteError>,
}

impl CallFailure {
    pub(crate) fn new(errors: Vec<RemoteError>) -> Self {
        Self { errors }
    }

    /// The errors, with their types and messages, and with traces if the service sends them.
    #[must_use]
    pub fn errors(&self) -> &[RemoteError] {
        &self.errors
    }
}

impl fmt::Debug for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFailure").field("errors", &self.errors.len()).finish()
    }
}
