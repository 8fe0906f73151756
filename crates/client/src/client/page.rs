//! One page of a list of resources.

use std::fmt;
use std::sync::Arc;

use zc_events_protocol::resource::{Document, Resource};

use super::remote_request::RemoteRequest;
use crate::Result;

/// A list of resources, or one page of it, with its document for the links, `meta` and `included`.
#[derive(Clone)]
pub struct Page<T> {
    /// The resources, in their order.
    pub items: Vec<Resource<T>>,
    /// The whole document.
    pub document: Document,
    request: Option<Arc<RemoteRequest>>,
}

impl<T> Page<T> {
    pub(super) fn new(items: Vec<Resource<T>>, document: Document, request: Option<Arc<RemoteRequest>>) -> Self {
        Self { items, document, request }
    }

    /// Whether there is another page: the document has a link `next`.
    #[must_use]
    pub fn has_next(&self) -> bool {
        self.document.next_link().is_some()
    }

    /// The request for the next page: the request for this page, with the query of the link `next`. `None` on the last
    /// page. The rest of the link is ignored.
    ///
    /// # Errors
    /// [`Error::Decode`](crate::Error::Decode) for a link that has no query.
    pub fn next_request(&self) -> Result<Option<RemoteRequest>> {
        match (&self.request, self.document.next_link()) {
            (Some(request), Some(link)) => request.following(link).map(Some),
            _ => Ok(None),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Page<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("items", &self.items).field("document", &self.document).finish_non_exhaustive()
    }
}
