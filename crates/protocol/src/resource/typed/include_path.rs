//! The path along relationships while a resource is deserialized: it ends circles and limits the depth.

use super::included::{Included, MAX_RESOURCES};
use crate::resource::mismatch::Mismatch;
use crate::resource::object::ResourceObject;
use crate::resource::relationship::Identifier;

/// The limit of resources within one another.
pub(super) const MAX_LEVELS: usize = 32;

/// The path of relationships from the requested resource to an included one.
#[derive(Clone, Copy)]
pub(super) struct IncludePath<'a, 'de> {
    included: Option<&'a Included<'de>>,
    last: Option<&'a PathStep<'a, 'de>>,
}

/// A resource on the path, and the struct into which it is read.
pub(super) struct PathStep<'a, 'de> {
    object: &'de ResourceObject,
    name: &'static str,
    fields: &'static [&'static str],
    depth: usize,
    previous: Option<&'a PathStep<'a, 'de>>,
}

impl<'a, 'de> IncludePath<'a, 'de> {
    pub(super) fn new(included: Option<&'a Included<'de>>) -> Self {
        Self { included, last: None }
    }

    /// Whether the resource belongs to a document.
    pub(super) fn has_document(self) -> bool {
        self.included.is_some()
    }

    /// The resource that a relationship names, if the document contains it.
    pub(super) fn follow(self, identifier: &Identifier) -> Result<Option<&'de ResourceObject>, Mismatch> {
        let Some((included, object)) = self.included.and_then(|it| Some((it, it.find(identifier)?))) else {
            return Ok(None);
        };
        if self.last.is_some_and(|last| last.depth >= MAX_LEVELS) {
            return Err(Mismatch::refused(format!(
                "its relationships lead to more than {MAX_LEVELS} levels of resources"
            )));
        }
        if !included.take_one() {
            return Err(Mismatch::refused(format!("its relationships lead to more than {MAX_RESOURCES} resources")));
        }
        Ok(Some(object))
    }

    /// The next step, for a resource that is read into a struct. `None` if the path is a circle: the same resource is
    /// being read into the same struct already.
    pub(super) fn step(
        self,
        object: &'de ResourceObject,
        name: &'static str,
        fields: &'static [&'static str],
    ) -> Option<PathStep<'a, 'de>> {
        let mut previous = self.last;
        while let Some(step) = previous {
            if std::ptr::eq(step.object, object) && step.name == name && step.fields == fields {
                return None;
            }
            previous = step.previous;
        }
        let depth = self.last.map_or(1, |last| last.depth + 1);
        Some(PathStep { object, name, fields, depth, previous: self.last })
    }

    /// The path after that step.
    pub(super) fn after<'b>(self, step: &'b PathStep<'b, 'de>) -> IncludePath<'b, 'de>
    where
        'a: 'b,
    {
        IncludePath { included: self.included, last: Some(step) }
    }
}

#[cfg(test)]
mod tests;
