//! Tests of documents: the forms that services send, and malformed ones.

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::resource::{
    Document, ErrorObject, Identifier, PrimaryData, Relationship, RelationshipData, ResourceError, ResourceObject,
};

fn parse(text: &str) -> Document {
    serde_json::from_str(text).unwrap()
}

#[derive(Debug, Deserialize, PartialEq)]
struct Order {
    id: String,
    name: String,
}

// Bodies of answers from services of a fleet (written by ujson, which escapes the slash).
#[test]
fn bodies_of_a_fleet_are_read() {
    let document =
        parse(r#"{"data":{"type":"Order","id":"23131024","attributes":{"name":"Caf\u00e9 \/ \ud83c\udf55"}}}"#);
    let expected = Order { id: "23131024".to_owned(), name: "Café / 🍕".to_owned() };
    assert_eq!(document.attributes::<Order>().unwrap(), expected);

    let document = parse(r#"{"data":[{"type":"Order","id":"1"}],"q":{"page_size":["2"]}}"#);
    assert_eq!(document.resources::<Value>().unwrap()[0].id, "1");

    let document = parse(r#"{"data":{"type":"Order","id":"9"}}"#);
    assert_eq!(document.attributes::<Order>().unwrap_err().to_string(), "Order 9: missing field `name`");

    let document = parse(r#"{"data":{"id":"1"}}"#);
    assert_eq!(document.resource::<()>().unwrap().id, "1");

    let document = parse(r#"{"view":true,"kw":{}}"#);
    assert_eq!(document, Document::default());
    assert_eq!(document.resource::<()>().unwrap_err(), ResourceError::NoData);

    let document = parse(r#"{"detail":"Method \"PUT\" not allowed."}"#);
    assert_eq!(document.errors[0].detail.as_deref(), Some("Method \"PUT\" not allowed."));

    let document = parse(
        r#"{"data": {"type": "Order", "id": "23131024", "attributes": {"name": "Caf\u00e9 / lunch", "totalCents": 123456,
        "isActive": true, "note": null}, "relationships": {"company": {"data": {"type": "Company", "id": "7"}}}}}"#,
    );
    assert_eq!(
        document.attributes::<Value>().unwrap(),
        json!({"id": "23131024", "type": "Order", "name": "Café / lunch", "total_cents": 123456, "is_active": true,
            "note": null})
    );
}

#[test]
fn an_empty_body_and_null_data_are_documents_without_a_resource() {
    for empty in [Value::Null, json!(""), json!(" \n"), json!({}), json!({"errors": null, "included": null})] {
        let document = Document::from_value(empty).unwrap();
        assert_eq!(document.data, PrimaryData::Absent);
        assert_eq!(document.resource::<()>().unwrap_err(), ResourceError::NoData);
        assert_eq!(document.attributes_list::<()>().unwrap_err(), ResourceError::NoData);
    }
    let document = Document::from_value(json!({"data": null, "links": {}, "included": []})).unwrap();
    assert_eq!(document.data, PrimaryData::Null);
    assert_eq!(document.attributes::<()>().unwrap_err(), ResourceError::NullData);
    assert_eq!(document.resources::<()>().unwrap_err(), ResourceError::NullData);
    assert_eq!(document.to_value(), json!({"data": null}));
}

#[test]
fn errors_are_read_in_every_form() {
    let details = |value| -> Vec<Option<String>> {
        Document::from_value(value).unwrap().errors.into_iter().map(|error| error.detail).collect()
    };
    let not_found = [Some("Not found.".to_owned())];
    assert_eq!(details(json!({"detail": "Not found."})), not_found);
    assert_eq!(details(json!({"errors": null, "detail": "Not found."})), not_found);
    assert_eq!(details(json!({"errors": {"detail": "Not found."}})), not_found);
    assert_eq!(details(json!({"errors": ["Not found."]})), not_found);
    assert_eq!(details(json!({"errors": "Not found."})), not_found);
    assert_eq!(details(json!({"errors": [{"detail": "Not found.", "status": 404}]})), not_found);
    assert_eq!(details(json!({"errors": []})), []);
    // A `detail` beside `data` or `errors` is ignored.
    assert_eq!(details(json!({"data": null, "detail": "x"})), []);
    assert_eq!(details(json!({"errors": [], "detail": "x"})), []);
}

#[test]
fn a_document_with_errors_has_no_resource_and_says_why() {
    let document = Document::error(404, "no order hunter2");
    let error = document.resource::<()>().unwrap_err();
    assert_eq!(error, ResourceError::Errors { count: 1, status: Some(404) });
    assert_eq!(error.to_string(), "the document has no `data` but an error (status 404)");
    assert!(!format!("{document:?}").contains("hunter2"));
    assert_eq!(Document::from_value(document.to_value()).unwrap(), document);
    // Errors beside data do not hide the data.
    let both = Document { errors: document.errors, ..Document::one(ResourceObject::new("Order", 1)) };
    assert!(both.resource::<()>().is_ok());
}

#[test]
fn one_resource_and_a_list_differ() {
    let one = Document::one(ResourceObject::new("Order", 1));
    assert_eq!(one.resources::<()>().unwrap().len(), 1);
    let many = Document::many((1..=3).map(|id| ResourceObject::new("Order", id)));
    assert_eq!(many.resources::<()>().unwrap().len(), 3);
    assert_eq!(many.resource::<()>().unwrap_err(), ResourceError::NotOne { found: 3 });
    let none = Document::many([]);
    assert_eq!(none.to_value(), json!({"data": []}));
    assert!(none.resources::<()>().unwrap().is_empty());
}

#[test]
fn malformed_documents_are_refused_with_their_path() {
    for (value, expected) in [
        (json!([]), "expected an object, found a list"),
        (json!("x"), "expected an object, found a string"),
        (json!(5), "expected an object, found a number"),
        (json!({"data": "x"}), "`data`: expected an object, a list or null, found a string"),
        (json!({"data": [{}, null]}), "`data[1]`: expected an object, found null"),
        (json!({"data": [{"id": []}]}), "`data[0].id`: expected a string or a number, found a list"),
        (json!({"included": {}}), "`included`: expected a list, found an object"),
        (json!({"included": [{"type": 5}]}), "`included[0].type`: expected a string, found a number"),
        (
            json!({"data": {"relationships": {"a": {"data": [[]]}}}}),
            "`data.relationships.a.data[0]`: expected an object, found a list",
        ),
    ] {
        let error = Document::from_value(value.clone()).unwrap_err().to_string();
        assert_eq!(error, format!("not a JSON:API document: {expected}"));
        assert_eq!(serde_json::from_value::<Document>(value).unwrap_err().to_string(), error);
    }
}

#[test]
fn links_of_a_page_are_strings_or_objects() {
    let page = Document::from_value(json!({
        "data": [],
        "links": {"first": "/?page=1", "last": {"href": "/?page=4", "meta": {}}, "next": {"href": "/?page=2"}, "prev": null},
        "meta": {"pagination": {"pages": 4}}
    }))
    .unwrap();
    assert_eq!((page.first_link(), page.last_link()), (Some("/?page=1"), Some("/?page=4")));
    assert_eq!((page.next_link(), page.prev_link(), page.link("self")), (Some("/?page=2"), None, None));
    assert_eq!(page.meta["pagination"]["pages"], 4);
}

#[test]
fn included_resources_are_written() {
    let document =
        Document::one(ResourceObject::new("Order", 1).relationship("company", Relationship::to_one("Company", 7)))
            .include(ResourceObject::new("Company", 7));
    assert_eq!(document.to_value()["included"], json!([{"type": "Company", "id": "7"}]));
    assert_eq!(Document::from_value(document.to_value()).unwrap(), document);
}

#[test]
fn deep_nesting_is_moved_without_recursion() {
    let wrap = |name: &str, inner| Value::Object(Map::from_iter([(name.to_owned(), inner)]));
    let deep = || (0..1_000).fold(json!(1), |inner, _| wrap("data", inner));
    let document = Document::from_value(wrap("data", wrap("attributes", wrap("deep", deep())))).unwrap();
    let mut inner = document.object().unwrap().attribute("deep");
    let mut depth = 0;
    while let Some(next) = inner.and_then(|value| value.get("data")) {
        (inner, depth) = (Some(next), depth + 1);
    }
    assert_eq!(depth, 1_000);
    // `data` within `data` is an unknown member.
    assert_eq!(Document::from_value(deep()).unwrap().data, PrimaryData::One(ResourceObject::default()));
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 5, |inner| {
        let name =
            "data|included|errors|detail|links|meta|id|type|attributes|relationships|status|source|href|next|a-?B";
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => prop::collection::btree_map(name, inner, 0..5).prop_map(Value::from_iter),
        ]
    })
}

fn json_map() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("[a-zA-Z_-]{1,6}", json_value(), 0..3).prop_map(Map::from_iter)
}

fn identifier() -> impl Strategy<Value = Identifier> {
    ("[A-Z]?[a-z]{0,3}", any::<u16>()).prop_map(|(type_, id)| Identifier::new(type_, id))
}

fn relationship() -> impl Strategy<Value = Relationship> {
    let data = prop_oneof![
        Just(RelationshipData::Absent),
        Just(RelationshipData::Null),
        identifier().prop_map(RelationshipData::One),
        prop::collection::vec(identifier(), 0..3).prop_map(RelationshipData::Many),
    ];
    (data, json_map(), json_map()).prop_map(|(data, links, meta)| Relationship { data, links, meta })
}

fn object() -> impl Strategy<Value = ResourceObject> {
    let relationships = prop::collection::btree_map("[a-z]{1,4}", relationship(), 0..3);
    (prop::option::of("[0-9a-f]{0,4}"), "[A-Z]?[a-z]{0,3}", json_map(), relationships, json_map(), json_map()).prop_map(
        |(id, type_, attributes, relationships, links, meta)| ResourceObject {
            id,
            type_,
            attributes,
            relationships,
            links,
            meta,
        },
    )
}

fn error_object() -> impl Strategy<Value = ErrorObject> {
    let text = || prop::option::of("[a-z]{0,3}");
    let source = json_value().prop_map(|source| Some(source).filter(|source| !source.is_null()));
    (text(), text(), text(), text(), source, json_map()).prop_map(|(status, code, title, detail, source, meta)| {
        ErrorObject { status, code, title, detail, source, meta }
    })
}

fn document() -> impl Strategy<Value = Document> {
    let data = prop_oneof![
        Just(PrimaryData::Absent),
        Just(PrimaryData::Null),
        object().prop_map(PrimaryData::One),
        prop::collection::vec(object(), 0..3).prop_map(PrimaryData::Many),
    ];
    let included = prop::collection::vec(object(), 0..3);
    let errors = prop::collection::vec(error_object(), 0..3);
    (data, included, errors, json_map(), json_map()).prop_map(|(data, included, errors, links, meta)| Document {
        data,
        included,
        errors,
        links,
        meta,
    })
}

proptest! {
    #[test]
    fn documents_survive_the_wire(document in document()) {
        prop_assert_eq!(&Document::from_value(document.to_value()).unwrap(), &document);
        let text = serde_json::to_string(&document).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::from_value::<Document>(value.clone()).unwrap(), Document::from_value(value).unwrap());
    }

    #[test]
    fn any_json_is_a_document_or_an_error(value in json_value()) {
        if let Ok(document) = Document::from_value(value) {
            prop_assert_eq!(&Document::from_value(document.to_value()).unwrap(), &document);
            let index = document.index();
            for object in document.data.items() {
                let _ = object.resource::<Value>();
                for name in object.relationships.keys() {
                    prop_assert_eq!(document.related(object, name), index.related(object, name));
                }
            }
            for list in [document.resources::<()>().err(), document.resource::<()>().err()] {
                let _ = list.map(|error| error.to_string());
            }
            let _ = (format!("{document:?}"), document.next_link());
        }
    }
}
