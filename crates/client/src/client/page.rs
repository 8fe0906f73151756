//! Lists in pages: one page, and going from page to page by the links between them.

use std::collections::HashSet;
use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use zc_events_protocol::resource::{Document, Resource};

use super::RemoteRequest;
use crate::{Error, Result};

/// A list of resources, or one page of it, and the document it came in, for its links, `meta` and `included`.
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

    /// The request for the next page: this page's with the query of the link `next`; `None` on the last. Of the link's
    /// address nothing else is looked at.
    ///
    /// # Errors
    /// [`Error::Decode`] for a link that has no query.
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

/// The pages of a list, each asked for when it is wanted; made by [`RemoteRequest::pages`].
#[must_use = "no page is asked for before it is wanted"]
pub struct Pages<T> {
    next: Option<RemoteRequest>,
    /// What ends it, when the page before was given.
    wrong: Option<Error>,
    resource: String,
    left: usize,
    most: usize,
    /// The queries that were asked so far.
    asked: HashSet<String>,
    items: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Pages<T> {
    fn step(&mut self, request: RemoteRequest) -> Result<Page<T>> {
        self.asked.extend(request.asked_query());
        let page = request.fetch_page::<T>()?;
        self.left = self.left.saturating_sub(1);
        match page.next_request() {
            Ok(None) => {}
            Ok(Some(_)) if self.left == 0 => {
                self.wrong = Some(self.refused(format!("it has more than {} pages", self.most)));
            }
            Ok(Some(next)) if next.asked_query().is_some_and(|query| self.asked.contains(&query)) => {
                self.wrong = Some(self.refused("a page names one before it as the next".to_owned()));
            }
            Ok(Some(next)) => self.next = Some(next),
            Err(error) => self.wrong = Some(error),
        }
        Ok(page)
    }

    fn refused(&self, why: String) -> Error {
        Error::Decode { what: format!("the list of {}", self.resource), source: why.into() }
    }
}

impl<T: DeserializeOwned> Iterator for Pages<T> {
    type Item = Result<Page<T>>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.wrong.take() {
            return Some(Err(error));
        }
        let request = self.next.take()?;
        Some(self.step(request))
    }
}

impl<T: DeserializeOwned> FusedIterator for Pages<T> {}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("resource", &self.resource).field("left", &self.left).finish_non_exhaustive()
    }
}

impl RemoteRequest {
    /// The pages of a list, from the one that this asks for on, each asked for when it is wanted, with the timeout of
    /// the request. After an error there are no more.
    ///
    /// More than `most` pages are an error behind the last of them, so that a list is never taken for whole that is
    /// not; whoever wants only the first takes them with [`Iterator::take`]. So is a page whose next was
    /// there before.
    ///
    /// ```
    /// use zc_events::{Context, ResourceObject, ResourceView, Value, ViewResult};
    /// # use zc_events::{EventClient, Service, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").events_redis_url("memory://").staging_name("test").service_name("orders").build()?;
    /// # let client = EventClient::new(settings)?;
    /// # struct Numbers;
    /// # impl ResourceView for Numbers {
    /// #     fn list(&self, context: &Context) -> ViewResult {
    /// #         let paging = context.paging(20, 100)?;
    /// #         let numbers = (1..=50_u64).skip(paging.offset() as usize).take(paging.size() as usize);
    /// #         Ok(paging.document(numbers.map(|number| ResourceObject::new("Number", number)), 50)?.into())
    /// #     }
    /// # }
    /// # let service = Service::builder(&client).resource("Number", Numbers).start()?;
    /// let mut count = 0;
    /// for page in client.remote("Number").page_size(20).pages::<Value>(10) {
    ///     count += page?.items.len();
    /// }
    /// assert_eq!(count, 50);
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    pub fn pages<T: DeserializeOwned>(self, most: usize) -> Pages<T> {
        let resource = self.resource().to_owned();
        let most = most.max(1);
        Pages { next: Some(self), wrong: None, resource, left: most, most, asked: HashSet::new(), items: PhantomData }
    }

    /// All resources of a list, from all its pages; see [`RemoteRequest::pages`].
    ///
    /// # Errors
    /// As for [`RemoteRequest::fetch`]; [`Error::Decode`] for a list of more than `most` pages.
    pub fn fetch_all<T: DeserializeOwned>(self, most: usize) -> Result<Vec<Resource<T>>> {
        let mut all = Vec::new();
        for page in self.pages(most) {
            all.extend(page?.items);
        }
        Ok(all)
    }
}
