//! All pages of a list, one after the other, by the links between them.

use std::collections::HashSet;
use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use zc_events_protocol::resource::Resource;

use super::page::Page;
use super::remote_request::RemoteRequest;
use crate::{Error, Result};

/// The pages of a list. Each is fetched when the iterator reaches it; see [`RemoteRequest::pages`].
#[must_use = "no page is fetched until the iterator is used"]
pub struct Pages<T> {
    next: Option<RemoteRequest>,
    /// The error that ends the iterator after the page that was returned last.
    failure: Option<Error>,
    resource: String,
    left: usize,
    max_pages: usize,
    /// The queries sent so far.
    queries: HashSet<String>,
    items: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Pages<T> {
    fn step(&mut self, request: RemoteRequest) -> Result<Page<T>> {
        self.queries.extend(request.encoded_query());
        let page = request.fetch_page::<T>()?;
        self.left = self.left.saturating_sub(1);
        match page.next_request() {
            Ok(None) => {}
            Ok(Some(_)) if self.left == 0 => {
                self.failure = Some(self.refused(format!("it has more than {} pages", self.max_pages)));
            }
            Ok(Some(next)) if next.encoded_query().is_some_and(|query| self.queries.contains(&query)) => {
                self.failure = Some(self.refused("the link to the next page leads to an earlier page".to_owned()));
            }
            Ok(Some(next)) => self.next = Some(next),
            Err(error) => self.failure = Some(error),
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
        if let Some(error) = self.failure.take() {
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
    /// The pages of a list, starting with the page of this request. Each page is fetched when the iterator reaches it,
    /// within the timeout of the request. The iterator ends after an error.
    ///
    /// If the list has more than `max_pages` pages, the last item is an error, so a program never mistakes a part for the
    /// whole list. To read only the first pages, use [`Iterator::take`]. A link back to an earlier page is an error, too.
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
    pub fn pages<T: DeserializeOwned>(self, max_pages: usize) -> Pages<T> {
        let resource = self.resource().to_owned();
        let max_pages = max_pages.max(1);
        let (next, queries) = (Some(self), HashSet::new());
        Pages { next, failure: None, resource, left: max_pages, max_pages, queries, items: PhantomData }
    }

    /// All resources of a list, from all its pages; see [`RemoteRequest::pages`].
    ///
    /// # Errors
    /// As for [`RemoteRequest::fetch`]; [`Error::Decode`] for a list of more than `max_pages` pages.
    pub fn fetch_all<T: DeserializeOwned>(self, max_pages: usize) -> Result<Vec<Resource<T>>> {
        let mut all = Vec::new();
        for page in self.pages(max_pages) {
            all.extend(page?.items);
        }
        Ok(all)
    }
}
