//! The errors of documents and resources, named by meaning. They hold no value of an attribute, except in
//! [`FieldError::detail`].

use std::fmt;

use serde_json::Value;

use super::error_text;

/// Why a document cannot be read, built or converted to the requested type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceError {
    /// The JSON is not a JSON:API document.
    #[error("not a JSON:API document: {}expected {expected}, found {found}", Path(path))]
    Malformed {
        /// The path in the document, such as `data[3].id`; empty for the document itself.
        path: String,
        /// What is allowed there.
        expected: &'static str,
        /// The kind of JSON that was found.
        found: &'static str,
    },
    /// A resource was requested, and the document has no `data`, such as the empty body of an answer to DELETE.
    #[error("the document has no `data`")]
    NoData,
    /// A resource was requested, and `data` is null.
    #[error("the document's `data` is null")]
    NullData,
    /// One resource was requested, and `data` is a list: use `resources` or `attributes_list`.
    #[error("one resource was expected, and the document's `data` is a list of {found}")]
    NotOne {
        /// The length of the list.
        found: usize,
    },
    /// A resource was requested, and the document has errors instead.
    #[error("the document has no `data` but {}", ErrorCount(*count, *status))]
    Errors {
        /// The number of errors.
        count: usize,
        /// The HTTP status of the first error, if it has one.
        status: Option<u16>,
    },
    /// A resource does not match the requested type.
    #[error(transparent)]
    Field(Box<FieldError>),
    /// A value cannot be the attributes of a resource.
    #[error("attributes for {type_}: {problem}")]
    Attributes {
        /// The type of the resource.
        type_: String,
        /// What is wrong with the attributes.
        problem: String,
    },
}

impl ResourceError {
    pub(super) fn malformed(expected: &'static str, found: &Value) -> Self {
        ResourceError::Malformed { path: String::new(), expected, found: error_text::kind(found) }
    }

    /// Puts the name of the outer member, or `[index]`, before the path.
    pub(super) fn inside(self, outer: &str) -> Self {
        match self {
            ResourceError::Malformed { path, expected, found } => {
                ResourceError::Malformed { path: error_text::join_path(outer, &path), expected, found }
            }
            other => other,
        }
    }
}

struct Path<'a>(&'a str);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "`{}`: ", self.0) }
    }
}

struct ErrorCount(usize, Option<u16>);

impl fmt::Display for ErrorCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("an error")?,
            count => write!(f, "{count} errors")?,
        }
        self.1.map_or(Ok(()), |status| write!(f, " (status {status})"))
    }
}

/// A resource does not match a type: which resource, which part of it, and what was expected.
///
/// The text is like ``Order 23131024: attribute `total`: invalid type: string, expected f64``. The value itself is
/// never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct FieldError {
    pub(super) type_: String,
    pub(super) id: Option<String>,
    pub(super) location: String,
    pub(super) pointer: String,
    pub(super) is_missing: bool,
    pub(super) problem: String,
    pub(super) detail: Option<String>,
}

impl FieldError {
    /// The type of the resource; empty if the document has none.
    #[must_use]
    pub fn type_(&self) -> &str {
        &self.type_
    }

    /// The id of the resource.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The part that does not match, such as ``attribute `lines[2].price` `` or ``relationship `company` ``. `None` if
    /// the problem is the resource as a whole, such as a missing field.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        (!self.location.is_empty()).then_some(&self.location)
    }

    /// The part that does not match, as a JSON pointer into the resource, such as `/attributes/lines/2/price`. A
    /// missing field has its pointer too. Empty if the problem is the resource as a whole.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Whether a field is missing.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.is_missing
    }

    /// What was expected, and which kind of value was found.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The error of the type's own `Deserialize` implementation, such as that of a date. It may quote the value, so
    /// that neither `Display` nor `Debug` shows it. Do not log it if values are secret.
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
        if !self.location.is_empty() {
            write!(f, "{}: ", self.location)?;
        }
        f.write_str(&self.problem)
    }
}

impl fmt::Debug for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldError")
            .field("type_", &self.type_)
            .field("id", &self.id)
            .field("location", &self.location)
            .field("problem", &self.problem)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for FieldError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_names_the_problem() {
        let malformed =
            ResourceError::malformed("a string", &Value::Bool(true)).inside("id").inside("[3]").inside("data");
        assert_eq!(malformed.to_string(), "not a JSON:API document: `data[3].id`: expected a string, found a boolean");
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
    fn the_detail_is_never_shown() {
        let error = FieldError {
            type_: "Order".into(),
            id: None,
            location: "attribute `at`".into(),
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
