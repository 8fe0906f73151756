//! Following relationships to the resources of a document. Each call follows one step, so that circular relationships
//! do no harm.

use std::collections::HashMap;

use super::document::Document;
use super::object::ResourceObject;
use super::relationship::{Identifier, RelationshipData};

/// The related resources of a relationship, with the resources of the document. JSON:API has no other cases.
#[derive(Clone, Debug, PartialEq)]
pub enum Related<'a> {
    /// There is no such relationship, it has no `data`, or its `data` is null.
    None,
    /// To one.
    One(Linked<'a>),
    /// To many.
    Many(Vec<Linked<'a>>),
}

/// A resource that a relationship names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Linked<'a> {
    /// The type and id.
    pub identifier: &'a Identifier,
    /// The resource itself, if the document contains it.
    pub resource: Option<&'a ResourceObject>,
}

impl<'a> Related<'a> {
    /// The resource of a relationship to one, if the document contains it.
    #[must_use]
    pub fn one(&self) -> Option<&'a ResourceObject> {
        match self {
            Related::One(linked) => linked.resource,
            Related::None | Related::Many(_) => None,
        }
    }

    /// All resources that the relationship names: none, one or many.
    #[must_use]
    pub fn linked(&self) -> &[Linked<'a>] {
        match self {
            Related::None => &[],
            Related::One(linked) => std::slice::from_ref(linked),
            Related::Many(linked) => linked,
        }
    }

    /// All resources that the relationship names and the document contains.
    pub fn resources(&self) -> impl Iterator<Item = &'a ResourceObject> {
        self.linked().iter().filter_map(|linked| linked.resource)
    }

    fn resolve(
        object: &'a ResourceObject,
        name: &str,
        find: impl Fn(&'a Identifier) -> Option<&'a ResourceObject>,
    ) -> Self {
        let linked = |identifier| Linked { identifier, resource: find(identifier) };
        match object.relation(name).map(|relationship| &relationship.data) {
            None | Some(RelationshipData::Absent | RelationshipData::Null) => Related::None,
            Some(RelationshipData::One(identifier)) => Related::One(linked(identifier)),
            Some(RelationshipData::Many(identifiers)) => Related::Many(identifiers.iter().map(linked).collect()),
        }
    }
}

impl Document {
    /// The resource of that type and id, in the primary data or in `included`. This is a linear search: to find many
    /// resources, make an [`Index`] once.
    #[must_use]
    pub fn find(&self, type_: &str, id: &str) -> Option<&ResourceObject> {
        self.all().find(|object| object.type_ == type_ && object.id.as_deref() == Some(id))
    }

    /// The resources to which a relationship of `object` leads, by the name of the relationship or its snake case.
    ///
    /// ```
    /// use serde_json::json;
    /// use zc_events_protocol::resource::Document;
    ///
    /// let document = Document::from_value(json!({
    ///     "data": {"type": "Order", "id": "5", "relationships": {"company": {"data": {"type": "Company", "id": "7"}}}},
    ///     "included": [{"type": "Company", "id": "7", "attributes": {"name": "Acme"}}]
    /// }))?;
    /// let order = document.find("Order", "5").expect("is the primary data");
    /// let company = document.related(order, "company").one().expect("is included");
    /// assert_eq!(company.attribute("name"), Some(&json!("Acme")));
    /// # Ok::<(), zc_events_protocol::resource::ResourceError>(())
    /// ```
    #[must_use]
    pub fn related<'a>(&'a self, object: &'a ResourceObject, name: &str) -> Related<'a> {
        Related::resolve(object, name, |identifier| self.find(&identifier.type_, &identifier.id))
    }

    /// An index of all resources by type and id, for large documents.
    #[must_use]
    pub fn index(&self) -> Index<'_> {
        let mut by_identity = HashMap::new();
        for object in self.all() {
            if let Some(id) = &object.id {
                by_identity.entry((object.type_.as_str(), id.as_str())).or_insert(object);
            }
        }
        Index { by_identity }
    }

    fn all(&self) -> impl Iterator<Item = &ResourceObject> {
        self.data.items().iter().chain(&self.included)
    }
}

/// The resources of a document by type and id; made by [`Document::index`].
#[derive(Clone, Debug)]
pub struct Index<'a> {
    by_identity: HashMap<(&'a str, &'a str), &'a ResourceObject>,
}

impl<'a> Index<'a> {
    /// As [`Document::find`].
    #[must_use]
    pub fn find(&self, type_: &str, id: &str) -> Option<&'a ResourceObject> {
        self.by_identity.get(&(type_, id)).copied()
    }

    /// As [`Document::related`].
    #[must_use]
    pub fn related(&self, object: &'a ResourceObject, name: &str) -> Related<'a> {
        Related::resolve(object, name, |identifier| self.find(&identifier.type_, &identifier.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn circular() -> Document {
        Document::from_value(json!({
            "data": {"type": "Order", "id": "1", "relationships": {
                "company": {"data": {"type": "Company", "id": 7}},
                "orderItems": {"data": [{"type": "Item", "id": "5"}, {"type": "Item", "id": "6"}]},
                "self": {"data": {"type": "Order", "id": "1"}},
                "linksOnly": {"links": {"related": "/x"}},
                "none": {"data": null},
                "null": null
            }},
            "included": [
                {"type": "Company", "id": "7", "relationships": {"orders": {"data": [{"type": "Order", "id": "1"}]}}},
                {"type": "Item", "id": 5, "relationships": {"order": {"data": {"type": "Order", "id": "1"}}}},
                {"type": "Order", "id": "1", "attributes": {"second": true}}
            ]
        }))
        .unwrap()
    }

    #[test]
    fn relationships_lead_to_the_included() {
        let document = circular();
        let order = document.find("Order", "1").unwrap();
        assert_eq!(document.related(order, "company").one().unwrap().type_, "Company");
        let items = document.related(order, "order_items");
        assert_eq!(items.linked().len(), 2);
        assert_eq!(items.linked()[1], Linked { identifier: &Identifier::new("Item", 6), resource: None });
        assert_eq!(items.resources().count(), 1);
        assert_eq!(items.one(), None);
        for name in ["links_only", "none", "null", "unheard_of"] {
            assert_eq!(document.related(order, name), Related::None, "{name}");
        }
    }

    #[test]
    fn circular_relationships_can_be_followed_forever() {
        let document = circular();
        let index = document.index();
        let mut order = document.find("Order", "1").unwrap();
        for _ in 0..10_000 {
            let company = document.related(order, "company").one().unwrap();
            order = index.related(company, "orders").resources().next().unwrap();
        }
        assert_eq!(document.related(order, "self").one().unwrap(), order);
    }

    #[test]
    fn primary_data_is_found_before_an_included_of_the_same_name() {
        let document = circular();
        assert_eq!(document.find("Order", "1").unwrap().attribute("second"), None);
        assert_eq!(document.index().find("Order", "1").unwrap().attribute("second"), None);
        assert_eq!(document.find("Order", "2"), None);
        assert_eq!(document.index().find("Order", "2"), None);
    }

    #[test]
    fn a_huge_document_is_followed_in_linear_time() {
        let object = |type_, id: usize, other, other_id: usize| json!({"type": type_, "id": id, "relationships": {"other": {"data": {"type": other, "id": other_id}}}});
        let count = 50_000;
        let document = Document::from_value(json!({
            "data": (0..count).map(|i| object("A", i, "B", count - 1 - i)).collect::<Vec<_>>(),
            "included": (0..count).map(|i| object("B", i, "A", i)).collect::<Vec<_>>()
        }))
        .unwrap();
        let index = document.index();
        let found = document.data.items().iter().filter(|a| index.related(a, "other").one().is_some()).count();
        assert_eq!(found, count);
    }
}
