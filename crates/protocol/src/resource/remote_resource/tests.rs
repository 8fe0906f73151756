//! Tests of resources by name.

use serde_json::json;

use super::*;

fn order() -> Document {
    Document::from_value(json!({
        "data": {
            "type": "Order", "id": 1,
            "attributes": {"createdAt": "2016", "note": null},
            "relationships": {
                "company": {"data": {"type": "Company", "id": "7"}, "links": {"related": {"href": "/c"}}},
                "orderItems": {"data": [{"type": "Item", "id": "5"}, {"type": "Item", "id": "6"}], "links": {"self": "/i"}},
                "driver": {"data": null},
                "linksOnly": {"links": {"related": "/x"}},
                "null": null
            },
            "links": {"self": "/orders/1"},
            "meta": {"etag": "e"}
        },
        "included": [
            {"type": "Company", "id": "7", "attributes": {"name": "Acme"}, "links": {"self": "/companies/7"},
                "relationships": {"orders": {"data": [{"type": "Order", "id": "1"}]}}},
            {"type": "Item", "id": "5", "attributes": {"sku": "A"}}
        ]
    }))
    .unwrap()
}

#[test]
fn attributes_are_found_by_either_name_and_null_differs_from_missing() {
    let document = order();
    let order = document.remote_resource().unwrap();
    assert_eq!((order.id(), order.type_()), (Some("1"), Some("Order")));
    assert_eq!((order.text("created_at"), order.text("createdAt")), (Some("2016"), Some("2016")));
    assert_eq!((order.get("note"), order.get("nothing")), (Some(&Value::Null), None));
    assert_eq!((&order["created_at"], &order["nothing"]), (&json!("2016"), &Value::Null));
    assert_eq!((order.link("self"), order.meta("etag")), (Some("/orders/1"), Some(&json!("e"))));
}

#[test]
fn relationships_lead_to_included_named_or_missing_resources() {
    let document = order();
    let order = document.remote_resource().unwrap();
    let company = order.related("company");
    assert_eq!((company.text("name"), company.link("related")), (Some("Acme"), Some("/c")));
    assert_eq!(company.link("self"), Some("/companies/7"));
    let items = order.related_list("order_items");
    assert_eq!((items.len(), items[0].text("sku"), items[0].link("self")), (2, Some("A"), Some("/i")));
    assert_eq!((items[1].id(), items[1].type_(), items[1].text("sku")), (Some("6"), Some("Item"), None));
    assert!(items[1].exists() && !items[1].is_included() && items[0].is_included());
    assert_eq!(order.related_list("company").len(), 1);
    assert_eq!(order.related("links_only").link("related"), Some("/x"));
    for name in ["driver", "links_only", "null", "unheard_of", "order_items"] {
        let missing = order.related(name);
        assert!(!missing.exists() && missing.id().is_none() && missing.get("x").is_none(), "{name}");
        assert!(!missing.related("company").exists() && missing.related_list("items").is_empty(), "{name}");
        assert_eq!(missing["x"], Value::Null, "{name}");
    }
}

#[test]
fn circular_relationships_can_be_followed_forever() {
    let document = order();
    let mut order = document.remote_resource().unwrap();
    for _ in 0..1000 {
        order = order.related("company").related_list("orders").swap_remove(0);
    }
    assert_eq!(order.text("created_at"), Some("2016"));
    assert_eq!(
        format!("{order:?} {:?} {:?}", order.related("company"), order.related("driver")),
        "<Order: 1> <Company: 7> <missing>"
    );
}

#[test]
fn values_live_as_long_as_the_document() {
    let document = order();
    let name = document.remote_resource().unwrap().related("company").text("name");
    assert_eq!(name, Some("Acme"));
}

#[test]
fn a_list_is_a_list_and_a_document_without_data_an_error() {
    let list = Document::from_value(json!({"data": [{"type": "Order", "id": "1"}, {"type": "Order", "id": "2"}]}));
    let list = list.unwrap();
    assert_eq!(list.remote_resources().unwrap()[1].id(), Some("2"));
    assert_eq!(list.remote_resource().unwrap_err(), ResourceError::NotOne { found: 2 });
    assert_eq!(Document::default().remote_resources().unwrap_err(), ResourceError::NoData);
    assert_eq!(order().remote_resources().unwrap().len(), 1);
}

#[test]
fn attributes_are_deserialized_into_a_type() {
    #[derive(serde::Deserialize)]
    struct Order {
        id: u64,
        company: Company,
    }
    #[derive(serde::Deserialize)]
    struct Company {
        name: String,
    }
    let document = order();
    let order = document.remote_resource().unwrap();
    let typed: Order = order.attributes().unwrap();
    assert_eq!((typed.id, typed.company.name.as_str()), (1, "Acme"));
    assert!(order.related("driver").attributes::<Value>().is_err());
}
