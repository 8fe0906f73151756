//! Lists in pages, as djangorestframework-jsonapi pages them: which page is asked for, and the document with the links
//! to the others.

use serde_json::{Map, Value, json};
use zc_events_protocol::Query;
use zc_events_protocol::resource::{Document, ResourceObject};

use super::handler_context::Context;
use super::handler_error::HandlerError;

/// The names of the parameters for number and size: those that the Python client sends, and those of newer services.
const NAMES: [(&str, &str); 2] = [("page", "page_size"), ("page[number]", "page[size]")];

/// Which page of a list is asked for; see [`Context::paging`].
#[derive(Clone, Debug)]
pub struct Paging {
    number: u64,
    offset: u64,
    size: u64,
    names: (&'static str, &'static str),
    query: Query,
}

impl Context {
    /// The page that is asked for: `page` and `page_size`, or `page[number]` and `page[size]`. A size that is none
    /// is `default_size`, one above `most` is `most`.
    ///
    /// ```
    /// use zc_events::{Context, ResourceObject, ResourceView, ViewResult};
    /// # use zc_events::{EventClient, Service, Settings, Value};
    /// # let settings = Settings::builder().broker_url("memory://").events_redis_url("memory://").staging_name("test").service_name("orders").build()?;
    /// # let client = EventClient::new(settings)?;
    /// struct Numbers;
    ///
    /// impl ResourceView for Numbers {
    ///     fn list(&self, context: &Context) -> ViewResult {
    ///         let paging = context.paging(20, 100)?;
    ///         let numbers = (1..=50_u64).skip(paging.offset() as usize).take(paging.size() as usize);
    ///         Ok(paging.document(numbers.map(|number| ResourceObject::new("Number", number)), 50)?.into())
    ///     }
    /// }
    ///
    /// let service = Service::builder(&client).resource("Number", Numbers).start()?;
    /// let page = client.remote("Number").page_size(30).query_param("page", 2).fetch_page::<Value>()?;
    /// assert_eq!((page.items.len(), page.items[0].id.as_str()), (20, "31"));
    /// assert_eq!(page.document.prev_link(), Some("?page_size=30&page=1"));
    /// assert_eq!(page.document.meta["pagination"]["pages"], 2);
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// 404 for a page that is no number from 1 on, in the words of Django REST framework.
    pub fn paging(&self, default_size: u32, most: u32) -> Result<Paging, HandlerError> {
        let query = self.query_params().clone();
        let is_asked = |(number, size): &(&str, &str)| query.get(number).is_some() || query.get(size).is_some();
        let names = NAMES.into_iter().find(is_asked).unwrap_or(NAMES[0]);
        let number = query.get(names.0).map_or(Some(1), |text| text.trim().parse().ok().filter(|number| *number > 0));
        let size = query.get(names.1).and_then(|text| text.trim().parse().ok()).filter(|size| *size > 0);
        let size = size.unwrap_or(u64::from(default_size)).clamp(1, u64::from(most.max(1)));
        let number: u64 = number.ok_or_else(no_page)?;
        // No database counts further.
        let offset = (number - 1).checked_mul(size).filter(|offset| i64::try_from(*offset).is_ok());
        Ok(Paging { number, offset: offset.ok_or_else(no_page)?, size, names, query })
    }
}

impl Paging {
    /// Which page, from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How many resources are on a page.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many resources come before it.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The document of this page of a list of `count` resources, with links to the first, the last, the next and the
    /// previous page, and `meta.pagination`. The links have the query and no address: requests do not travel by it.
    ///
    /// # Errors
    /// 404 for a page behind the last, in the words of Django REST framework.
    pub fn document(
        &self,
        objects: impl IntoIterator<Item = ResourceObject>,
        count: u64,
    ) -> Result<Document, HandlerError> {
        let pages = count.div_ceil(self.size).max(1);
        if self.number > pages {
            return Err(no_page());
        }
        let link = |number: u64| Value::from(format!("?{}", self.query.clone().with(self.names.0, number).encode()));
        let links = Map::from_iter([
            ("first".to_owned(), link(1)),
            ("last".to_owned(), link(pages)),
            ("next".to_owned(), if self.number < pages { link(self.number + 1) } else { Value::Null }),
            ("prev".to_owned(), if self.number > 1 { link(self.number - 1) } else { Value::Null }),
        ]);
        let pagination = json!({"page": self.number, "pages": pages, "count": count});
        let meta = Map::from_iter([("pagination".to_owned(), pagination)]);
        Ok(Document { links, meta, ..Document::many(objects) })
    }
}

fn no_page() -> HandlerError {
    HandlerError::with_status(404, "Invalid page.")
}
