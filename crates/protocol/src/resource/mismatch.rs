//! The error with which serde says that a value does not fit a type, without the value. Which resource it was is
//! added in `typed`.

use std::fmt::{self, Display};

use serde::de::{Error, Expected, Unexpected};

use super::error_object::pointer_segment;
use super::read;

/// Why a value did not fit, and where in it.
#[derive(Debug)]
pub(super) struct Mismatch {
    /// Where. Boxed, since what may fail returns this.
    pub(super) at: Box<Place>,
    /// Whether it is no value at all that does not fit: a field got none.
    pub(super) is_missing: bool,
    /// What was expected, and the kind of what was found.
    pub(super) problem: String,
    /// The words of a type's own implementation, which may quote the value.
    pub(super) detail: Option<String>,
}

/// Where a value stands.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The path to the value, such as `lines[2].price`; empty for the outermost one.
    pub(super) path: String,
    /// The same as a JSON pointer, such as `/lines/2/price`; that of a field that is missing or unknown, too.
    pub(super) pointer: String,
    /// The part of a resource that it is in, such as ``attribute `lines[2].price` ``; empty for a plain value.
    pub(super) part: String,
}

impl Mismatch {
    fn new(problem: String) -> Self {
        Mismatch { at: Box::default(), is_missing: false, problem, detail: None }
    }

    /// What no type has against the value, but reading it.
    pub(super) fn refused(problem: String) -> Self {
        Self::new(problem)
    }

    /// Puts the name of the member that was being read before the place.
    pub(super) fn inside(mut self, name: &str) -> Self {
        self.at.path = read::join_place(&read::clip(name), &self.at.path);
        self.at.point_to(&read::clip(name));
        self
    }

    /// Puts the index of the element that was being read before the place.
    pub(super) fn at(mut self, index: usize) -> Self {
        self.at.path = read::join_place(&format!("[{index}]"), &self.at.path);
        self.at.point_to(&index.to_string());
        self
    }

    /// Says that the place is within a part of a resource, such as `attribute` `name`, which JSON:API has in `member`.
    /// What was a part already is one of another resource, which that relationship leads to.
    pub(super) fn within(self, kind: &str, name: &str, member: &str) -> Self {
        let mut mismatch = self.inside(name);
        let at = &mut mismatch.at;
        let part = format!("{kind} `{}`", std::mem::take(&mut at.path));
        at.pointer.insert_str(0, &format!("/{member}"));
        at.part = if at.part.is_empty() { part } else { format!("{part}: {}", at.part) };
        mismatch
    }

    /// [`Mismatch::within`], for `id` and `type`.
    pub(super) fn of_its(mut self, member: &str) -> Self {
        *self.at = Place { path: String::new(), pointer: format!("/{member}"), part: format!("its {member}") };
        self
    }
}

impl Place {
    fn point_to(&mut self, segment: &str) {
        self.pointer = format!("/{}{}", pointer_segment(segment), self.pointer);
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
        let problem = format!("unknown field `{}`, expected one of: {}", read::clip(field), one_of(expected));
        let mut mismatch = Mismatch::new(problem);
        mismatch.at.point_to(&read::clip(field));
        mismatch
    }

    fn missing_field(field: &'static str) -> Self {
        let mut mismatch = Mismatch { is_missing: true, ..Mismatch::new(format!("missing field `{field}`")) };
        mismatch.at.point_to(field);
        mismatch
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
