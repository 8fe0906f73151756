//! Tests of included resources in types.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::resource::{Document, FieldError, ResourceError};

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

fn field_error<T: DeserializeOwned>(document: &Document) -> FieldError {
    match document.attributes::<T>() {
        Err(ResourceError::Field(error)) => *error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("matches"),
    }
}

#[derive(Debug, Deserialize, PartialEq)]
struct Item {
    id: u64,
    sku: String,
}

#[test]
fn a_field_gets_the_included_resource_and_its_related_resources() {
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
    // The same order by another type.
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
fn a_field_may_be_an_id_or_any_json_or_an_enum() {
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
fn a_resource_that_is_not_included_has_only_its_id() {
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
    let error = field_error::<Order<Item>>(&document);
    assert_eq!(
        error.to_string(),
        "Order 1: relationship `orderItems[0]`: missing field `sku`: the document does not include Item 5"
    );
    assert_eq!((error.pointer(), error.is_missing()), ("/relationships/orderItems/0/sku", true));
}

#[test]
fn a_mismatch_in_an_included_resource_names_its_location() {
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
        field_error::<Order>(&orders()).to_string(),
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
fn a_recursive_type_ends_where_the_document_is_circular() {
    let one = |id| json!({"next": {"data": {"type": "Node", "id": id}}});
    let own: Node = nodes(1, one).attributes().unwrap();
    assert_eq!((own.depth(), own.next.unwrap().id), (2, 0));
    let circle = nodes(5, |id| one((id + 1) % 5));
    let node: Node = circle.attributes().unwrap();
    // Five, and the first again, without its relationships.
    assert_eq!(node.depth(), 6);
}

#[test]
fn levels_are_bounded() {
    let chain = |count| nodes(count, |id| json!({"next": {"data": {"type": "Node", "id": id + 1}}}));
    // The last resource names one that the document does not contain.
    assert_eq!(chain(MAX_LEVELS).attributes::<Node>().unwrap().depth(), MAX_LEVELS + 1);
    let error = field_error::<Node>(&chain(100_000)).to_string();
    assert!(error.ends_with("its relationships lead to more than 32 levels of resources"), "{error}");
}

#[test]
fn a_document_that_is_all_relationships_is_refused_in_time() {
    let full = |count: usize| {
        let all: Vec<_> = (0..count).map(|id| json!({"type": "Node", "id": id})).collect();
        nodes(count, move |_| json!({"all": {"data": all}}))
    };
    assert_eq!(full(3).attributes::<Node>().unwrap().count(), 16);
    let error = field_error::<Node>(&full(20)).to_string();
    assert!(error.ends_with("its relationships lead to more than 100000 resources"), "{error}");
    // The limit applies to each resource of the primary data.
    let document = full(3);
    let included = Included::of(&document);
    included.left.set(0);
    included.begin();
    assert_eq!(included.left.get(), MAX_RESOURCES);
}
