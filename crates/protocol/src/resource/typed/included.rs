//! Where relationships lead while a resource is read, and how far: what bounds it is here and nowhere else.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use crate::resource::document::Document;
use crate::resource::mismatch::Mismatch;
use crate::resource::object::ResourceObject;
use crate::resource::related::Index;
use crate::resource::relationship::Identifier;

/// How many resources may lie within one another.
const DEEPEST: usize = 32;
/// How many resources may be read below one. Every path through a document that is all relationships would be too many.
const MOST: usize = 100_000;

/// The resources of a document, found by type and id. The index is made when it is first asked for: most types have
/// no field for a relationship.
pub(in crate::resource) struct Included<'de> {
    source: Source<'de>,
    /// How many more may be read.
    left: Cell<usize>,
}

enum Source<'de> {
    Document(&'de Document, OnceCell<Index<'de>>),
    Index(Arc<Index<'de>>),
}

impl<'de> Included<'de> {
    pub(in crate::resource) fn of(document: &'de Document) -> Self {
        Self { source: Source::Document(document, OnceCell::new()), left: Cell::new(MOST) }
    }

    pub(in crate::resource) fn indexed(index: Arc<Index<'de>>) -> Self {
        Self { source: Source::Index(index), left: Cell::new(MOST) }
    }

    /// A resource of its own is to be read.
    pub(super) fn begin(&self) {
        self.left.set(MOST);
    }

    fn find(&self, identifier: &Identifier) -> Option<&'de ResourceObject> {
        let index = match &self.source {
            Source::Document(document, index) => index.get_or_init(|| document.index()),
            Source::Index(index) => index,
        };
        index.find(&identifier.type_, &identifier.id)
    }
}

/// The way to a resource from the one that was asked for.
#[derive(Clone, Copy)]
pub(super) struct Way<'a, 'de> {
    included: Option<&'a Included<'de>>,
    last: Option<&'a Step<'a, 'de>>,
}

/// A resource on the way, and the struct that it is read into.
pub(super) struct Step<'a, 'de> {
    object: &'de ResourceObject,
    name: &'static str,
    fields: &'static [&'static str],
    depth: usize,
    before: Option<&'a Step<'a, 'de>>,
}

impl<'a, 'de> Way<'a, 'de> {
    pub(super) fn new(included: Option<&'a Included<'de>>) -> Self {
        Self { included, last: None }
    }

    /// Whether there is a document at all.
    pub(super) fn has_document(self) -> bool {
        self.included.is_some()
    }

    /// The resource that a relationship names, where the document holds it.
    pub(super) fn follow(self, identifier: &Identifier) -> Result<Option<&'de ResourceObject>, Mismatch> {
        let Some((included, object)) = self.included.and_then(|it| Some((it, it.find(identifier)?))) else {
            return Ok(None);
        };
        if self.last.is_some_and(|last| last.depth >= DEEPEST) {
            return Err(Mismatch::refused(format!(
                "its relationships lead to more than {DEEPEST} levels of resources"
            )));
        }
        let left = included.left.get().checked_sub(1);
        included.left.set(
            left.ok_or_else(|| Mismatch::refused(format!("its relationships lead to more than {MOST} resources")))?,
        );
        Ok(Some(object))
    }

    /// The way on from a resource that is read into a struct; `None` where it leads back: the same is being read into
    /// the same struct already.
    pub(super) fn step(
        self,
        object: &'de ResourceObject,
        name: &'static str,
        fields: &'static [&'static str],
    ) -> Option<Step<'a, 'de>> {
        let mut before = self.last;
        while let Some(step) = before {
            if std::ptr::eq(step.object, object) && step.name == name && step.fields == fields {
                return None;
            }
            before = step.before;
        }
        let depth = self.last.map_or(1, |last| last.depth + 1);
        Some(Step { object, name, fields, depth, before: self.last })
    }

    /// The way after that step.
    pub(super) fn after<'b>(self, step: &'b Step<'b, 'de>) -> Way<'b, 'de>
    where
        'a: 'b,
    {
        Way { included: self.included, last: Some(step) }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;
    use crate::resource::{FieldError, ResourceError};

    fn orders() -> Document {
        Document::from_value(json!({
            "data": {
                "type": "Order",
                "id": "1",
                "attributes": {"name": "Lunch"},
                "relationships": {
                    "company": {"data": {"type": "Company", "id": "7"}},
                    "orderItems": {"data": [{"type": "Item", "id": "5"}, {"type": "Item", "id": 6}]},
                    "driver": {"data": null},
                    "linksOnly": {"links": {"related": "/orders/1/x"}}
                }
            },
            "included": [
                {"type": "Company", "id": "7", "attributes": {"name": "Acme", "taxId": "T-1"}, "relationships": {
                    "orders": {"data": [{"type": "Order", "id": "1"}]},
                    "owner": {"data": {"type": "User", "id": "9"}}
                }},
                {"type": "Item", "id": 5, "attributes": {"sku": "A-1"},
                    "relationships": {"order": {"data": {"type": "Order", "id": "1"}}}},
                {"type": "Item", "id": "6", "attributes": {"sku": "A-2"}}
            ]
        }))
        .unwrap()
    }

    fn misfit<T: DeserializeOwned>(document: &Document) -> FieldError {
        match document.attributes::<T>() {
            Err(ResourceError::Field(error)) => *error,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("fits"),
        }
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Item {
        id: u64,
        sku: String,
    }

    #[test]
    fn a_field_gets_the_included_resource_and_what_that_one_leads_to() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Order {
            name: String,
            company: Option<Company>,
            order_items: Vec<Item>,
            driver: Option<Item>,
            links_only: Option<Item>,
        }
        #[derive(Debug, Deserialize, PartialEq)]
        struct Company {
            name: String,
            tax_id: String,
            orders: Vec<Brief>,
            owner: u32,
        }
        // The order again, by another type: no recursion, whatever leads where.
        #[derive(Debug, Deserialize, PartialEq)]
        struct Brief {
            name: String,
            company: u64,
        }
        let company = Company {
            name: "Acme".to_owned(),
            tax_id: "T-1".to_owned(),
            orders: vec![Brief { name: "Lunch".to_owned(), company: 7 }],
            owner: 9,
        };
        let items = [(5, "A-1"), (6, "A-2")].map(|(id, sku)| Item { id, sku: sku.to_owned() });
        let order: Order = orders().attributes().unwrap();
        assert_eq!(order.company, Some(company));
        assert_eq!(order.order_items, items);
        assert_eq!((order.name.as_str(), order.driver, order.links_only), ("Lunch", None, None));
        let listed: Vec<Order> = orders().attributes_list().unwrap();
        assert_eq!(listed[0].order_items, items);
        assert_eq!(orders().resource::<Order>().unwrap().attributes.order_items, items);
    }

    #[test]
    fn a_field_may_want_less_or_any_json_or_one_of_several_types() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Less {
            company: String,
            order_items: Vec<u16>,
        }
        let less: Less = orders().attributes().unwrap();
        assert_eq!(less, Less { company: "7".to_owned(), order_items: vec![5, 6] });
        #[derive(Debug, Deserialize, PartialEq)]
        struct Any {
            company: Value,
            order_items: Vec<serde_json::Map<String, Value>>,
            driver: Value,
        }
        let any: Any = orders().attributes().unwrap();
        assert_eq!(any.company, json!({"id": "7", "type": "Company", "name": "Acme", "tax_id": "T-1"}));
        assert_eq!(Value::Object(any.order_items[0].clone()), json!({"id": "5", "type": "Item", "sku": "A-1"}));
        assert_eq!(any.driver, Value::Null);
        #[derive(Debug, Deserialize, PartialEq)]
        enum Thing {
            Item(Item),
            Company { name: String },
            User,
        }
        #[derive(Debug, Deserialize, PartialEq)]
        struct Things {
            company: Thing,
            order_items: Vec<Thing>,
        }
        let things: Things = orders().attributes().unwrap();
        assert_eq!(things.company, Thing::Company { name: "Acme".to_owned() });
        assert_eq!(things.order_items[1], Thing::Item(Item { id: 6, sku: "A-2".to_owned() }));
        assert_ne!(things.company, Thing::User);
    }

    #[test]
    fn what_is_not_included_has_its_id_and_its_absence_is_told() {
        let document = Document { included: Vec::new(), ..orders() };
        #[derive(Debug, Deserialize, PartialEq)]
        struct Order<T> {
            order_items: Vec<T>,
        }
        #[derive(Debug, Deserialize, PartialEq)]
        struct Loose {
            id: u64,
            sku: Option<String>,
        }
        let order: Order<Loose> = document.attributes().unwrap();
        assert_eq!(order.order_items[1], Loose { id: 6, sku: None });
        let error = misfit::<Order<Item>>(&document);
        assert_eq!(
            error.to_string(),
            "Order 1: relationship `orderItems[0]`: missing field `sku`: the document does not include Item 5"
        );
        assert_eq!((error.pointer(), error.is_missing()), ("/relationships/orderItems/0/sku", true));
    }

    #[test]
    fn an_included_resource_that_does_not_fit_is_named_with_its_place() {
        #[derive(Debug, Deserialize)]
        #[allow(dead_code)]
        struct Order {
            order_items: Vec<Odd>,
        }
        #[derive(Debug, Deserialize)]
        #[allow(dead_code)]
        struct Odd {
            sku: u8,
        }
        assert_eq!(
            misfit::<Order>(&orders()).to_string(),
            "Order 1: relationship `orderItems[0]`: attribute `sku`: invalid type: string, expected u8"
        );
    }

    #[derive(Debug, Deserialize)]
    struct Node {
        id: usize,
        next: Option<Box<Node>>,
        #[serde(default)]
        all: Vec<Node>,
    }

    impl Node {
        fn depth(&self) -> usize {
            1 + self.next.as_ref().map_or(0, |next| next.depth())
        }

        fn count(&self) -> usize {
            1 + self.all.iter().map(Node::count).sum::<usize>()
        }
    }

    fn nodes(count: usize, relationships: impl Fn(usize) -> Value) -> Document {
        let node = |id| json!({"type": "Node", "id": id, "relationships": relationships(id)});
        let data = node(0);
        Document::from_value(json!({"data": data, "included": (1..count).map(node).collect::<Vec<_>>()})).unwrap()
    }

    #[test]
    fn a_type_that_holds_itself_ends_where_the_document_leads_back() {
        let one = |id| json!({"next": {"data": {"type": "Node", "id": id}}});
        let own: Node = nodes(1, one).attributes().unwrap();
        assert_eq!((own.depth(), own.next.unwrap().id), (2, 0));
        let circle = nodes(5, |id| one((id + 1) % 5));
        let node: Node = circle.attributes().unwrap();
        // Five, and the first once more, without its relationships.
        assert_eq!(node.depth(), 6);
    }

    #[test]
    fn levels_are_bounded() {
        let chain = |count| nodes(count, |id| json!({"next": {"data": {"type": "Node", "id": id + 1}}}));
        // The last names one more, which is not there.
        assert_eq!(chain(DEEPEST).attributes::<Node>().unwrap().depth(), DEEPEST + 1);
        let error = misfit::<Node>(&chain(100_000)).to_string();
        assert!(error.ends_with("its relationships lead to more than 32 levels of resources"), "{error}");
    }

    #[test]
    fn a_document_that_is_all_relationships_is_refused_in_time() {
        let full = |count: usize| {
            let all: Vec<_> = (0..count).map(|id| json!({"type": "Node", "id": id})).collect();
            nodes(count, move |_| json!({"all": {"data": all}}))
        };
        assert_eq!(full(3).attributes::<Node>().unwrap().count(), 16);
        let error = misfit::<Node>(&full(20)).to_string();
        assert!(error.ends_with("its relationships lead to more than 100000 resources"), "{error}");
        // The next resource begins anew.
        let document = full(3);
        let included = Included::of(&document);
        included.left.set(0);
        included.begin();
        assert_eq!(included.left.get(), MOST);
    }
}
