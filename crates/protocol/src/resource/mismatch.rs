//! The error with which serde says that a value does not fit a type, without the value. Which resource it was is
//! added in `typed`.

use std::fmt::{self, Display};

use serde::de::{Error, Expected, Unexpected};

use super::read;

/// Why a value did not fit, and where in it.
#[derive(Debug)]
pub(super) struct Mismatch {
    /// The path to the value, such as `lines[2].price`; empty for the outermost one.
    pub(super) place: String,
    /// What was expected, and the kind of what was found.
    pub(super) problem: String,
    /// The words of a type's own implementation, which may quote the value.
    pub(super) detail: Option<String>,
}

impl Mismatch {
    fn new(problem: String) -> Self {
        Mismatch { place: String::new(), problem, detail: None }
    }

    /// Puts the name of the member (or `[index]`) that was being read before the place.
    pub(super) fn inside(mut self, outer: &str) -> Self {
        self.place = read::join_place(outer, &self.place);
        self
    }
}

fn kind(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "integer",
        Unexpected::Float(_) => "floating point number",
        Unexpected::Char(_) | Unexpected::Str(_) => "string",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "list",
        Unexpected::Map | Unexpected::NewtypeStruct => "object",
        Unexpected::Enum | Unexpected::UnitVariant | Unexpected::NewtypeVariant => "variant",
        Unexpected::TupleVariant | Unexpected::StructVariant => "variant",
        // A type's own words, which may be the value.
        Unexpected::Other(_) => "another kind of value",
    }
}

fn one_of(names: &'static [&'static str]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

impl Error for Mismatch {
    fn custom<T: Display>(message: T) -> Self {
        let problem = "not accepted by the type of the field".to_owned();
        Mismatch { detail: Some(message.to_string()), ..Mismatch::new(problem) }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Mismatch::new(format!("invalid type: {}, expected {expected}", kind(&found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Mismatch::new(format!("invalid value: {}, expected {expected}", kind(&found)))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Mismatch::new(format!("invalid length {length}, expected {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Mismatch::new(format!("unknown variant, expected one of: {}", one_of(expected)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Mismatch::new(format!("unknown field `{}`, expected one of: {}", read::clip(field), one_of(expected)))
    }

    fn missing_field(field: &'static str) -> Self {
        Mismatch::new(format!("missing field `{field}`"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Mismatch::new(format!("more than one value for field `{field}`"))
    }
}

impl Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for Mismatch {}
