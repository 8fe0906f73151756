//! The error of deserialization, without the value. `typed` adds which resource it was.

use std::fmt::{self, Display};

use serde::de::{Error, Expected, Unexpected};

use super::error_object::pointer_segment;
use super::error_text::{clip, join_path};

/// Why a value does not match a type, and where in the value.
#[derive(Debug)]
pub(super) struct Mismatch {
    /// The location. Boxed, because every function that may fail returns it.
    pub(super) at: Box<Location>,
    /// Whether a field is missing.
    pub(super) is_missing: bool,
    /// What was expected, and which kind of value was found.
    pub(super) problem: String,
    /// The error of the type's own implementation. It may quote the value.
    pub(super) detail: Option<String>,
}

/// The location of a value.
#[derive(Debug, Default)]
pub(super) struct Location {
    /// The path to the value, such as `lines[2].price`; empty for the outermost one.
    pub(super) path: String,
    /// The same as a JSON pointer, such as `/lines/2/price`. A missing or unknown field has its pointer too.
    pub(super) pointer: String,
    /// The part of the resource, such as ``attribute `lines[2].price` ``; empty for a plain value.
    pub(super) part: String,
}

impl Mismatch {
    fn new(problem: String) -> Self {
        Mismatch { at: Box::default(), is_missing: false, problem, detail: None }
    }

    /// An error of reading, not of the type.
    pub(super) fn refused(problem: String) -> Self {
        Self::new(problem)
    }

    /// Puts the name of the outer member before the location.
    pub(super) fn inside(mut self, name: &str) -> Self {
        self.at.path = join_path(&clip(name), &self.at.path);
        self.at.point_to(&clip(name));
        self
    }

    /// Puts the index of the outer element before the location.
    pub(super) fn at(mut self, index: usize) -> Self {
        self.at.path = join_path(&format!("[{index}]"), &self.at.path);
        self.at.point_to(&index.to_string());
        self
    }

    /// Says that the location is in a part of a resource, such as `attribute` `name`, which JSON:API keeps in `member`.
    /// A location that has a part already is in an included resource, to which that relationship leads.
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
        *self.at = Location { path: String::new(), pointer: format!("/{member}"), part: format!("its {member}") };
        self
    }
}

impl Location {
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
        // The text comes from the type and may be the value.
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
        let problem = format!("unknown field `{}`, expected one of: {}", clip(field), one_of(expected));
        let mut mismatch = Mismatch::new(problem);
        mismatch.at.point_to(&clip(field));
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
