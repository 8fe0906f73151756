//! The included resources of a document while a resource is deserialized, with a limit on their number.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use crate::resource::document::Document;
use crate::resource::object::ResourceObject;
use crate::resource::related::Index;
use crate::resource::relationship::Identifier;

/// The limit of resources that are read below one. Without it, a document in which all resources relate to all others
/// has too many paths.
pub(super) const MAX_RESOURCES: usize = 100_000;

/// The resources of a document by type and id, and how many more may be read. The index is made on first use: most
/// types have no field for a relationship.
pub(in crate::resource) struct Included<'de> {
    source: Source<'de>,
    /// How many more resources may be read.
    pub(super) left: Cell<usize>,
}

enum Source<'de> {
    Document(&'de Document, OnceCell<Index<'de>>),
    Index(Arc<Index<'de>>),
}

impl<'de> Included<'de> {
    pub(in crate::resource) fn of(document: &'de Document) -> Self {
        Self { source: Source::Document(document, OnceCell::new()), left: Cell::new(MAX_RESOURCES) }
    }

    pub(in crate::resource) fn indexed(index: Arc<Index<'de>>) -> Self {
        Self { source: Source::Index(index), left: Cell::new(MAX_RESOURCES) }
    }

    /// Resets the limit, for the next resource of the primary data.
    pub(super) fn begin(&self) {
        self.left.set(MAX_RESOURCES);
    }

    /// Counts one resource against the limit. False if the limit is reached.
    pub(super) fn take_one(&self) -> bool {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }

    pub(super) fn find(&self, identifier: &Identifier) -> Option<&'de ResourceObject> {
        let index = match &self.source {
            Source::Document(document, index) => index.get_or_init(|| document.index()),
            Source::Index(index) => index,
        };
        index.find(&identifier.type_, &identifier.id)
    }
}
