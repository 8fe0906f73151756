//! Query strings as Python's `urllib.parse.urlencode` writes them and Django's `QueryDict` reads them.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

use crate::DecodeError;

/// The characters that `quote_plus` escapes: all but letters, digits and `_.-~`. A space becomes a plus.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-').remove(b'~').remove(b' ');
/// The limit of parameters, as in Django.
const MAX_PARAMETERS: usize = 1000;

/// The decoded parameters of a query, in their order. `Debug` shows only their names.
///
/// ```
/// use zc_events_protocol::Query;
/// let query = Query::parse("filter%5Bid__in%5D=1%2C2&include=company%2Citems&page_size=50")?;
/// assert_eq!(query.get("page_size"), Some("50"));
/// assert_eq!(query.filter("id__in"), Some("1,2"));
/// assert_eq!(query.list("include"), ["company", "items"]);
/// # Ok::<(), zc_events_protocol::DecodeError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query string. A parameter without `=` has an empty value. Invalid UTF-8 becomes the replacement
    /// character.
    ///
    /// # Errors
    /// [`DecodeError::BadField`] for more than 1000 parameters, which Django refuses too.
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        let parts = text.split('&').filter(|part| !part.is_empty());
        if parts.clone().nth(MAX_PARAMETERS).is_some() {
            return Err(DecodeError::BadField { name: "query_string", why: "has more than 1000 parameters" });
        }
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (unquoted(name), unquoted(value))
        };
        Ok(Self(parts.map(pair).collect()))
    }

    /// The value of a parameter. If there are several, the last, as in Django.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).next_back()
    }

    /// All values of a parameter.
    #[must_use]
    pub fn get_all<'a>(&'a self, name: &str) -> impl DoubleEndedIterator<Item = &'a str> {
        self.pairs().filter(move |(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The value of the parameter `filter[name]`.
    #[must_use]
    pub fn filter(&self, name: &str) -> Option<&str> {
        self.get(&format!("filter[{name}]"))
    }

    /// The values of a comma-separated parameter, such as `include`, without empty ones.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<&str> {
        split(self.get(name).unwrap_or_default())
    }

    /// All parameters.
    #[must_use]
    pub fn pairs(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are no parameters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets a parameter, and replaces all of the same name.
    ///
    /// ```
    /// use zc_events_protocol::Query;
    /// let query = Query::parse("page=1&include=company&page=2")?.with("page", 3);
    /// assert_eq!(query.encode(), "page=3&include=company");
    /// # Ok::<(), zc_events_protocol::DecodeError>(())
    /// ```
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        let (name, value) = (name.into(), value.to_string());
        match self.0.iter().position(|(known, _)| *known == name) {
            Some(at) => {
                let mut index = 0..;
                self.0.retain(|(known, _)| index.next() == Some(at) || *known != name);
                self.0[at].1 = value;
            }
            None => self.0.push((name, value)),
        }
        self
    }

    /// Encodes the query as Python's `urlencode` does.
    #[must_use]
    pub fn encode(&self) -> String {
        let quoted = |text: &str| utf8_percent_encode(text, QUOTED).to_string().replace(' ', "+");
        let pairs: Vec<String> =
            self.pairs().map(|(name, value)| format!("{}={}", quoted(name), quoted(value))).collect();
        pairs.join("&")
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.pairs().map(|(name, _)| name)).finish()
    }
}

/// The parts of a comma-separated list.
fn split(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn unquoted(text: &str) -> String {
    percent_decode(text.replace('+', " ").as_bytes()).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        Query::parse(text).unwrap().0
    }

    #[test]
    fn it_quotes_as_python_does() {
        // The output of Python 3.11.
        let query = Query(vec![
            ("filter[name]".to_owned(), "café & co".to_owned()),
            ("a/b".to_owned(), "~_.-!*'()+%\n🍕".to_owned()),
            (String::new(), String::new()),
        ]);
        assert_eq!(
            query.encode(),
            "filter%5Bname%5D=caf%C3%A9+%26+co&a%2Fb=~_.-%21%2A%27%28%29%2B%25%0A%F0%9F%8D%95&="
        );
    }

    #[test]
    fn it_reads_as_django_does() {
        // The expected pairs are those of `QueryDict(text)` in Django 4.2.
        let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(pairs("a=1&b=2&a=3"), own(&[("a", "1"), ("b", "2"), ("a", "3")]));
        assert_eq!(pairs("a+b=c%20d%2Be&x&=y&&z="), own(&[("a b", "c d+e"), ("x", ""), ("", "y"), ("z", "")]));
        assert_eq!(pairs("a=b=c&q=%zz&half=%C3"), own(&[("a", "b=c"), ("q", "%zz"), ("half", "\u{fffd}")]));
        assert_eq!(pairs("page[number]=2;a=1"), own(&[("page[number]", "2;a=1")]));
        assert_eq!(pairs(""), own(&[]));
        assert_eq!(Query::parse("a=1&a=2").unwrap().get("a"), Some("2"));
    }

    #[test]
    fn lists_and_filters_are_found() {
        let query = Query::parse("filter[id__in]=1,%202,,3&include=company,items.sku").unwrap();
        assert_eq!(query.list("filter[id__in]"), ["1", "2", "3"]);
        assert_eq!(query.list("include"), ["company", "items.sku"]);
        assert_eq!((query.filter("id__in"), query.filter("id")), (Some("1, 2,,3"), None));
        assert!(query.list("none").is_empty() && Query::default().is_empty());
        assert!(!format!("{query:?}").contains("sku"));
    }

    #[test]
    fn as_many_parameters_as_django_takes_and_no_more() {
        assert!(Query::parse(&"a=1&".repeat(1000)).is_ok());
        assert_eq!(Query::parse(&"a=1&".repeat(1001)).unwrap_err().reason(), "bad_field");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(names in prop::collection::vec((any::<String>(), any::<String>()), 0..5)) {
            let query = Query(names);
            prop_assert_eq!(Query::parse(&query.encode()).unwrap(), query);
        }

        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let _ = Query::parse(&text);
        }
    }
}
