//! What can be wrong with a document, by meaning. Nothing here holds a value of an attribute, unless behind
//! [`FieldError::detail`].

use std::fmt;

use serde_json::Value;

use super::read;

/// Why a document could not be read, built, or given as the type that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceError {
    /// The JSON is no JSON:API document.
    #[error("not a JSON:API document: {}expected {expected}, found {found}", Place(place))]
    Malformed {
        /// Where in the document, such as `data[3].id`; empty for the document itself.
        place: String,
        /// What may stand there.
        expected: &'static str,
        /// The kind of JSON that stands there.
        found: &'static str,
    },
    /// A resource was asked for, and the document has no `data` (an empty body, for one: the answer to a DELETE).
    #[error("the document has no `data`")]
    NoData,
    /// A resource was asked for, and `data` is null.
    #[error("the document's `data` is null")]
    NullData,
    /// One resource was asked for, and `data` is a list; ask for `resources` or `attributes_list`.
    #[error("one resource was asked for, and the document's `data` is a list of {found}")]
    NotOne {
        /// The length of the list.
        found: usize,
    },
    /// A resource was asked for, and the document has errors in its place.
    #[error("the document has no `data` but {}", Errors(*count, *status))]
    Errors {
        /// How many.
        count: usize,
        /// The HTTP status of the first, where it names one.
        status: Option<u16>,
    },
    /// A resource does not fit the type that was asked for.
    #[error(transparent)]
    Field(Box<FieldError>),
    /// What was given as attributes cannot be the attributes of a resource.
    #[error("attributes for {type_}: {problem}")]
    Attributes {
        /// The type of the resource that was being built.
        type_: String,
        /// What is wrong with them.
        problem: String,
    },
}

impl ResourceError {
    pub(super) fn malformed(expected: &'static str, found: &Value) -> Self {
        ResourceError::Malformed { place: String::new(), expected, found: read::kind(found) }
    }

    /// Puts the name of the member (or `[index]`) that was being read before the place.
    pub(super) fn inside(self, outer: &str) -> Self {
        match self {
            ResourceError::Malformed { place, expected, found } => {
                ResourceError::Malformed { place: read::join_place(outer, &place), expected, found }
            }
            other => other,
        }
    }
}

struct Place<'a>(&'a str);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "`{}`: ", self.0) }
    }
}

struct Errors(usize, Option<u16>);

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("an error")?,
            count => write!(f, "{count} errors")?,
        }
        self.1.map_or(Ok(()), |status| write!(f, " (status {status})"))
    }
}

/// A resource that does not fit a type: which resource, which part of it, and what was expected there.
///
/// Reads like ``Order 23131024: attribute `total`: invalid type: string, expected f64``. The value itself is
/// never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct FieldError {
    pub(super) type_: String,
    pub(super) id: Option<String>,
    pub(super) place: String,
    pub(super) pointer: String,
    pub(super) is_missing: bool,
    pub(super) problem: String,
    pub(super) detail: Option<String>,
}

impl FieldError {
    /// The type of the resource; empty where the document gives none.
    #[must_use]
    pub fn type_(&self) -> &str {
        &self.type_
    }

    /// The id of the resource.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The part that did not fit, such as ``attribute `lines[2].price` `` or ``relationship `company` ``; none when
    /// the problem is the resource as a whole (a missing field).
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        (!self.place.is_empty()).then_some(&self.place)
    }

    /// The part that did not fit as a JSON pointer into the resource, such as `/attributes/lines/2/price`; that of a
    /// field that is missing, too. Empty when the problem is the resource as a whole.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Whether nothing is there that could fit: a field got no value.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.is_missing
    }

    /// What was expected, and the kind of what was found.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// In its own words, what the `Deserialize` implementation of a type had against the value (a date that did not
    /// parse, for one). It may quote the value, so it is in neither `Display` nor `Debug`: do not log it where
    /// values are secret.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.type_.is_empty() { "resource" } else { &self.type_ })?;
        match &self.id {
            Some(id) => write!(f, " {id}: ")?,
            None => f.write_str(" without an id: ")?,
        }
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.problem)
    }
}

impl fmt::Debug for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldError")
            .field("type_", &self.type_)
            .field("id", &self.id)
            .field("place", &self.place)
            .field("problem", &self.problem)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for FieldError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_says_what_was_found() {
        let malformed = ResourceError::malformed("text", &Value::Bool(true)).inside("id").inside("[3]").inside("data");
        assert_eq!(malformed.to_string(), "not a JSON:API document: `data[3].id`: expected text, found a boolean");
        assert_eq!(
            ResourceError::malformed("an object", &Value::Null).to_string(),
            "not a JSON:API document: expected an object, found null"
        );
        assert_eq!(
            ResourceError::Errors { count: 1, status: Some(404) }.to_string(),
            "the document has no `data` but an error (status 404)"
        );
        assert_eq!(
            ResourceError::Errors { count: 2, status: None }.to_string(),
            "the document has no `data` but 2 errors"
        );
    }

    #[test]
    fn the_detail_is_shown_only_to_who_asks() {
        let error = FieldError {
            type_: "Order".into(),
            id: None,
            place: "attribute `at`".into(),
            pointer: "/attributes/at".into(),
            is_missing: false,
            problem: "not accepted".into(),
            detail: Some("bad date: hunter2".into()),
        };
        assert_eq!(error.to_string(), "Order without an id: attribute `at`: not accepted");
        assert!(!format!("{error:?}").contains("hunter2"));
        assert_eq!(error.detail(), Some("bad date: hunter2"));
        assert_eq!(ResourceError::Field(Box::new(error.clone())).to_string(), error.to_string());
    }
}
