//! Tests of deserialization of resources into types.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::resource::{Document, FieldError, Identifier, Resource, ResourceError, ResourceObject};

fn order(attributes: Value) -> ResourceObject {
    ResourceObject::from_value(json!({
        "type": "Order",
        "id": "23131024",
        "attributes": attributes,
        "relationships": {
            "company": {"data": {"type": "Company", "id": "7"}},
            "order-items": {"data": [{"type": "Item", "id": "5"}, {"type": "Item", "id": 6}]},
            "driver": {"data": null},
            "linksOnly": {"links": {"related": "/orders/1/x"}}
        }
    }))
    .unwrap()
}

fn attributes_of<T: DeserializeOwned>(attributes: Value) -> Result<T, String> {
    order(attributes).to_attributes().map_err(|error| error.to_string())
}

fn field_error<T: DeserializeOwned>(object: &ResourceObject) -> FieldError {
    match object.to_attributes::<T>() {
        Err(ResourceError::Field(error)) => *error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("matches"),
    }
}

#[derive(Debug, Deserialize, PartialEq)]
struct Named {
    created_at: String,
}

fn named(created_at: &str) -> Result<Named, String> {
    Ok(Named { created_at: created_at.to_owned() })
}

#[test]
fn an_attribute_goes_to_the_field_of_its_name_or_its_snake_case() {
    assert_eq!(attributes_of(json!({"created_at": "a"})), named("a"));
    assert_eq!(attributes_of(json!({"createdAt": "a"})), named("a"));
    assert_eq!(attributes_of(json!({"created-at": "a"})), named("a"));
    assert_eq!(attributes_of(json!({"CreatedAt": "a", "more": [1]})), named("a"));
}

#[test]
fn the_exact_name_wins_over_snake_case_and_is_given_once() {
    assert_eq!(attributes_of(json!({"createdAt": "b", "created-at": "c", "created_at": "a"})), named("a"));
    // In the order of the names, '-' comes before 'A'.
    assert_eq!(attributes_of(json!({"createdAt": "b", "created-at": "c"})), named("c"));
}

#[test]
fn a_field_with_the_name_on_the_wire_gets_the_attribute() {
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase")]
    struct Camel {
        created_at: String,
        #[serde(rename = "total-cents")]
        total: i64,
    }
    assert_eq!(
        attributes_of(json!({"createdAt": "a", "total-cents": 5})),
        Ok(Camel { created_at: "a".to_owned(), total: 5 })
    );
}

#[test]
fn aliases_options_and_defaults_work() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Loose {
        #[serde(alias = "full_title")]
        title: String,
        note: Option<String>,
        absent: Option<i64>,
        #[serde(default)]
        count: u8,
        #[serde(skip)]
        skipped: u8,
    }
    let expected = Loose { title: "x".to_owned(), note: None, absent: None, count: 0, skipped: 0 };
    assert_eq!(attributes_of(json!({"fullTitle": "x", "note": null, "skipped": 9})), Ok(expected));
}

#[test]
fn names_are_matched_in_structs_inside_attributes() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Outer {
        shipping_address: Address,
        lines: Vec<Line>,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Address {
        zip_code: String,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Line {
        unit_price: f64,
    }
    let outer =
        attributes_of::<Outer>(json!({"shippingAddress": {"zipCode": "1"}, "lines": [{"unit-price": 2}]})).unwrap();
    assert_eq!(outer.shipping_address, Address { zip_code: "1".to_owned() });
    assert_eq!(outer.lines, [Line { unit_price: 2.0 }]);
    assert_eq!(
        attributes_of::<Outer>(json!({"shippingAddress": {"zipCode": 1}, "lines": []})).unwrap_err(),
        "Order 23131024: attribute `shippingAddress.zipCode`: invalid type: integer, expected a string"
    );
    assert_eq!(
        attributes_of::<Outer>(
            json!({"shippingAddress": {"zipCode": ""}, "lines": [{"unitPrice": 1}, {"unitPrice": "x"}]})
        )
        .unwrap_err(),
        "Order 23131024: attribute `lines[1].unitPrice`: invalid type: string, expected f64"
    );
}

#[test]
fn unknown_attributes_are_refused_only_on_request_and_under_their_wire_name() {
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        name: String,
    }
    // The id, the type and relationships are not attributes, so that they are not unknown fields.
    assert_eq!(attributes_of(json!({"name": "x"})), Ok(Strict { name: "x".to_owned() }));
    assert_eq!(
        attributes_of::<Strict>(json!({"name": "x", "totalCents": 5})).unwrap_err(),
        "Order 23131024: unknown field `totalCents`, expected one of: `name`"
    );
}

#[test]
fn fields_id_and_type_get_the_id_and_the_type() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Text {
        id: String,
        #[serde(rename = "type")]
        type_: String,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Number<N> {
        id: N,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct OrderId(u32);
    assert_eq!(attributes_of(json!({})), Ok(Text { id: "23131024".to_owned(), type_: "Order".to_owned() }));
    assert_eq!(attributes_of(json!({})), Ok(Number { id: 23131024_u64 }));
    assert_eq!(attributes_of(json!({})), Ok(Number { id: 23131024_i64 }));
    assert_eq!(attributes_of(json!({})), Ok(Number { id: 23131024_u128 }));
    assert_eq!(attributes_of(json!({})), Ok(Number { id: Some(OrderId(23131024)) }));
    assert_eq!(attributes_of(json!({})), Ok(Number { id: json!("23131024") }));
    assert_eq!(
        attributes_of::<Number<u8>>(json!({})).unwrap_err(),
        "Order 23131024: its id: invalid value: string, expected u8"
    );
}

#[test]
fn attributes_cannot_shadow_id_and_type() {
    let shadow = json!({"id": "shadow", "type": "shadow2", "Id": "x", "name": "n"});
    let flat: BTreeMap<String, String> = attributes_of(shadow.clone()).unwrap();
    assert_eq!((flat["id"].as_str(), flat["type"].as_str(), flat["Id"].as_str()), ("23131024", "Order", "x"));
    #[derive(Deserialize)]
    struct Both {
        id: String,
        r#type: String,
    }
    let both: Both = attributes_of(shadow.clone()).unwrap();
    assert_eq!((both.id.as_str(), both.r#type.as_str()), ("23131024", "Order"));
    // A resource without an id may have an attribute `id`.
    let object = ResourceObject::from_value(json!({"type": "Order", "attributes": shadow})).unwrap();
    assert_eq!(object.to_attributes::<Both>().unwrap().id, "shadow");
}

#[test]
fn a_missing_id_is_a_missing_field() {
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct WithId {
        id: String,
    }
    let object = ResourceObject::without_id("Order");
    assert_eq!(field_error::<WithId>(&object).to_string(), "Order without an id: missing field `id`");
    let object = ResourceObject::default();
    assert_eq!(field_error::<WithId>(&object).to_string(), "resource without an id: missing field `id`");
    assert_eq!(object.resource::<()>().unwrap().id, "");
}

#[test]
fn relationships_go_to_the_fields_of_their_names() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Related {
        company: Identifier,
        order_items: Vec<Identifier>,
        driver: Option<Identifier>,
        links_only: Option<Identifier>,
    }
    let related: Related = attributes_of(json!({})).unwrap();
    assert_eq!(related.company, Identifier::new("Company", 7));
    assert_eq!(related.order_items, [Identifier::new("Item", 5), Identifier::new("Item", 6)]);
    assert_eq!((related.driver, related.links_only), (None, None));
}

#[test]
fn a_relationship_may_become_ids() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Ids {
        company: u64,
        order_items: Vec<String>,
        driver: Option<u64>,
    }
    let expected = Ids { company: 7, order_items: vec!["5".to_owned(), "6".to_owned()], driver: None };
    assert_eq!(attributes_of(json!({})), Ok(expected));
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Company {
        id: u16,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Own {
        company: Option<Company>,
        driver: Value,
        order_items: Value,
    }
    let own: Own = attributes_of(json!({})).unwrap();
    assert_eq!(own.company, Some(Company { id: 7 }));
    assert_eq!(own.driver, Value::Null);
    assert_eq!(own.order_items, json!([{"id": "5", "type": "Item"}, {"id": "6", "type": "Item"}]));
}

#[test]
fn an_attribute_wins_over_a_relationship_of_the_same_name() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Plain {
        company: String,
    }
    assert_eq!(attributes_of(json!({"company": "Acme"})), Ok(Plain { company: "Acme".to_owned() }));
    assert_eq!(attributes_of(json!({"Company": "Acme"})), Ok(Plain { company: "Acme".to_owned() }));
}

#[test]
fn a_mismatch_in_a_relationship_names_it() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Driver<T> {
        driver: T,
    }
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Items<T> {
        order_items: T,
    }
    let error = attributes_of::<Driver<Identifier>>(json!({})).unwrap_err();
    assert_eq!(error, "Order 23131024: relationship `driver`: invalid type: null, expected struct Identifier");
    let error = attributes_of::<Items<Vec<u8>>>(json!({})).map(|_| ());
    assert_eq!(error, Ok(()));
    let error = attributes_of::<Items<u8>>(json!({})).unwrap_err();
    assert_eq!(error, "Order 23131024: relationship `order-items`: invalid type: list, expected u8");
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct LinksOnly {
        links_only: Identifier,
    }
    assert_eq!(attributes_of::<LinksOnly>(json!({})).unwrap_err(), "Order 23131024: missing field `links_only`");
}

#[test]
fn maps_and_values_get_snake_case_names() {
    let attributes = json!({"createdAt": 1, "a-b": 2, "a_b": 3, "aB": 4});
    let expected = json!({"id": "23131024", "type": "Order", "created_at": 1, "a-b": 2, "a_b": 3, "aB": 4});
    assert_eq!(attributes_of::<Value>(attributes.clone()).unwrap(), expected);
    let map: HashMap<String, Value> = attributes_of(attributes).unwrap();
    assert_eq!(map.len(), 6);
    let clash: Value = attributes_of(json!({"fooBar": 1, "foo-bar": 2})).unwrap();
    assert_eq!(clash, json!({"id": "23131024", "type": "Order", "foo_bar": 2, "fooBar": 1}));
}

#[test]
fn flatten_gets_the_remaining_attributes() {
    #[derive(Debug, Deserialize)]
    struct Flat {
        id: u64,
        total_cents: i64,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }
    let flat: Flat = attributes_of(json!({"totalCents": 5, "isActive": true})).unwrap();
    assert_eq!((flat.id, flat.total_cents), (23131024, 5));
    assert_eq!(json!(flat.rest), json!({"type": "Order", "is_active": true}));
}

#[test]
fn enums_are_chosen_by_type() {
    #[derive(Debug, Deserialize, PartialEq)]
    enum Thing {
        Order(Named),
        Company { company: u64 },
        Ping,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(tag = "type")]
    enum Tagged {
        Order { created_at: String },
    }
    let read = |value| ResourceObject::from_value(value).unwrap().to_attributes::<Thing>().map_err(|e| e.to_string());
    assert_eq!(attributes_of(json!({"createdAt": "a"})), Ok(Thing::Order(Named { created_at: "a".to_owned() })));
    assert_eq!(attributes_of(json!({"createdAt": "a"})), Ok(Tagged::Order { created_at: "a".to_owned() }));
    assert_eq!(
        read(json!({"type": "Company", "id": "7", "relationships": {"company": {"data": {"id": 8}}}})),
        Ok(Thing::Company { company: 8 })
    );
    assert_eq!(read(json!({"type": "Ping"})), Ok(Thing::Ping));
    assert_eq!(
        read(json!({"type": "Pong", "id": 1})).unwrap_err(),
        "Pong 1: its type: unknown variant, expected one of: `Order`, `Company`, `Ping`"
    );
}

#[test]
fn every_shape_of_attribute_is_read() {
    #[derive(Debug, Deserialize, PartialEq)]
    enum State {
        Open,
        Paid(u32),
        Sent { to_address: String },
        Pair(u8, u8),
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Unit;
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct All {
        states: Vec<State>,
        by_number: HashMap<u64, bool>,
        tuple: (i8, f32, char),
        unit: Unit,
        nothing: (),
        either: Vec<Either>,
        big: i128,
        nested: Option<Option<Value>>,
        id: serde::de::IgnoredAny,
    }
    let all: All = attributes_of(json!({
        "states": ["Open", {"Paid": 5}, {"Sent": {"toAddress": "x"}}, {"Pair": [1, 2]}],
        "byNumber": {"12": true},
        "tuple": [-1, 1.5, "é"],
        "unit": null,
        "nothing": null,
        "either": [1, "x"],
        "big": -5,
        "nested": {"aB": [1]}
    }))
    .unwrap();
    let sent = State::Sent { to_address: "x".to_owned() };
    assert_eq!(all.states, [State::Open, State::Paid(5), sent, State::Pair(1, 2)]);
    assert_eq!(all.by_number, HashMap::from([(12, true)]));
    assert_eq!(all.tuple, (-1, 1.5, 'é'));
    assert_eq!((all.unit, all.nothing, all.big), (Unit, (), -5));
    assert_eq!(all.either, [Either::Number(1), Either::Text("x".to_owned())]);
    assert_eq!(all.nested, Some(Some(json!({"aB": [1]}))));
}

#[test]
fn errors_name_the_field_and_never_the_value() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Total<T> {
        total: T,
    }
    #[derive(Debug, Deserialize)]
    enum Colour {
        Red,
    }
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "String")]
    struct Picky;
    impl TryFrom<String> for Picky {
        type Error = String;
        fn try_from(text: String) -> Result<Self, String> {
            Err(format!("no date: {text}"))
        }
    }
    let error = |value: Value, error: Result<(), String>| {
        let error = error.unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
        assert!(error.starts_with("Order 23131024: attribute `total"), "{error} for {value}");
        error["Order 23131024: attribute `total".len()..].to_owned()
    };
    fn try_total<T: DeserializeOwned>(value: &Value) -> Result<(), String> {
        attributes_of::<Total<T>>(json!({"total": value})).map(|_| ())
    }
    macro_rules! check {
        ($type:ty, $value:expr, $expected:expr) => {{
            let value = $value;
            assert_eq!(error(value.clone(), try_total::<$type>(&value)), $expected);
        }};
    }
    check!(f64, json!("hunter2"), "`: invalid type: string, expected f64");
    check!(u8, json!(300), "`: invalid value: integer, expected u8");
    check!(u8, json!(-1), "`: invalid value: integer, expected u8");
    check!(u64, json!(1.5), "`: invalid type: floating point number, expected u64");
    check!(String, json!(null), "`: invalid type: null, expected a string");
    check!(bool, json!([]), "`: invalid type: list, expected a boolean");
    check!(char, json!("hunter2"), "`: invalid value: string, expected a character");
    check!((u8, u8), json!([1, 2, 3]), "`: invalid length 3, expected fewer elements in the list");
    check!((u8, u8), json!([1]), "`: invalid length 1, expected a tuple of size 2");
    check!(Colour, json!("hunter2"), "`: unknown variant, expected one of: `Red`");
    check!(Colour, json!({"hunter2": 1}), "`: unknown variant, expected one of: `Red`");
    check!(Colour, json!({"a": 1, "b": 2}), "`: invalid value: object, expected an object with a single member");
    check!(HashMap<String, u8>, json!({"hunter2": "x"}), ".*`: invalid type: string, expected u8");
    check!(HashMap<u8, u8>, json!({"hunter2": 1}), "`: invalid value: string, expected u8");
    check!(Vec<Vec<u8>>, json!([[], [1, "hunter2"]]), "[1][1]`: invalid type: string, expected u8");
    check!(Picky, json!("hunter2"), "`: not accepted by the type of the field");
    check!(std::net::IpAddr, json!("hunter2"), "`: not accepted by the type of the field");

    let picky = field_error::<Total<Picky>>(&order(json!({"total": "hunter2"})));
    assert_eq!(picky.detail(), Some("no date: hunter2"));
    assert!(!format!("{picky:?}").contains("hunter2"));
    assert_eq!((picky.type_(), picky.id()), ("Order", Some("23131024")));
    assert_eq!(picky.location(), Some("attribute `total`"));
    let missing = field_error::<Total<u8>>(&order(json!({})));
    assert_eq!((missing.location(), missing.problem()), (None, "missing field `total`"));
}

#[test]
fn errors_point_into_the_resource() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Strict {
        id: u8,
        #[serde(default)]
        lines: Vec<Line>,
    }
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Line {
        unit_price: u8,
    }
    let of = |id: &str, attributes: Value| {
        let object = ResourceObject::new("Order", id).attributes(&attributes).unwrap();
        let error = field_error::<Strict>(&object);
        (error.pointer().to_owned(), error.is_missing())
    };
    let pointer = |pointer: &str, is_missing| (pointer.to_owned(), is_missing);
    assert_eq!(
        of("1", json!({"lines": [{"unitPrice": 1}, {"unitPrice": "x"}]})),
        pointer("/attributes/lines/1/unitPrice", false)
    );
    assert_eq!(of("1", json!({"lines": [{}]})), pointer("/attributes/lines/0/unit_price", true));
    assert_eq!(of("1", json!({"a/b": 1})), pointer("/attributes/a~1b", false));
    assert_eq!(of("x", json!({})), pointer("/id", false));
    let error = field_error::<Named>(&order(json!({})));
    assert_eq!((error.pointer(), error.is_missing()), ("/attributes/created_at", true));
    let error = field_error::<u8>(&order(json!({})));
    assert_eq!((error.pointer(), error.is_missing()), ("", false));
}

#[test]
fn a_type_that_is_not_an_object_does_not_match() {
    assert_eq!(attributes_of::<u8>(json!({})).unwrap_err(), "Order 23131024: invalid type: object, expected u8");
    assert!(attributes_of::<Vec<u8>>(json!({})).is_err());
    assert_eq!(attributes_of::<()>(json!({"x": 1})), Ok(()));
    assert_eq!(attributes_of(json!({"createdAt": "a"})), Ok(Some(named("a").unwrap())));
}

#[test]
fn names_from_a_peer_are_clipped_in_errors() {
    let long = "x\n".repeat(5_000);
    let object = ResourceObject::new(long.clone(), long.clone()).attributes(&json!({long: "x"})).unwrap();
    let error = object.to_attributes::<HashMap<String, u64>>().unwrap_err().to_string();
    assert!(error.len() < 1_000 && !error.contains('\n'), "{error}");
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    let nest = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    let fits: Value = attributes_of(json!({"deep": nest(128)})).unwrap();
    assert_eq!(fits["deep"], nest(128));
    let error = attributes_of::<Value>(json!({"deep": nest(1_000)})).unwrap_err();
    assert!(error.ends_with("expected a value that nests at most 128 levels deep"), "{error}");
    // An attribute without a field is not read.
    assert_eq!(attributes_of(json!({"createdAt": "a", "deep": nest(1_000)})), named("a"));
}

#[test]
fn a_resource_has_relationships_links_and_meta_too() {
    let mut object = order(json!({"createdAt": "a"}));
    object.meta.insert("token".to_owned(), json!("hunter2"));
    let resource: Resource<Named> = object.resource().unwrap();
    assert_eq!((resource.id.as_str(), resource.type_.as_str()), ("23131024", "Order"));
    assert_eq!(resource.attributes, Named { created_at: "a".to_owned() });
    assert_eq!(resource.relationships, object.relationships);
    assert!(!format!("{resource:?}").contains("hunter2"));
}

#[test]
fn a_list_is_read_at_once_and_its_error_names_the_resource() {
    let item = |id: usize| json!({"type": "Item", "id": id, "attributes": {"createdAt": "a"}});
    let document = Document::from_value(json!({"data": (0..20_000).map(item).collect::<Vec<_>>()})).unwrap();
    assert_eq!(document.attributes_list::<Named>().unwrap().len(), 20_000);
    let document = Document::from_value(json!({"data": [item(1), {"type": "Item", "id": 2}]})).unwrap();
    assert_eq!(document.resources::<Named>().unwrap_err().to_string(), "Item 2: missing field `created_at`");
}

/// JSON whose keys and strings never occur in the texts of errors.
fn secret_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!("hunter2")),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("hunter2|Paid|Open|unit_price|[a-c]", inner, 0..4).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #[test]
    fn any_attributes_fit_or_give_an_error_without_their_values(
        attributes in prop::collection::btree_map("[a-d]|created-?[aA]t|id|type", secret_json(), 0..6)
    ) {
        #[derive(Debug, Deserialize)]
        #[allow(dead_code)]
        enum State { Open, Paid(u32), Sent { unit_price: String } }
        #[derive(Debug, Deserialize)]
        #[allow(dead_code)]
        struct Odd {
            a: Option<(u8, String)>,
            b: HashMap<u8, Option<bool>>,
            #[serde(default)]
            c: Vec<State>,
            d: Option<std::net::IpAddr>,
            created_at: String,
        }
        let object = order(Value::from_iter(attributes.clone()));
        if let Err(error) = object.to_attributes::<Odd>() {
            prop_assert!(!format!("{error} {error:?}").contains("hunter2"), "{}", error);
        }
        let flat: BTreeMap<String, Value> = object.to_attributes().unwrap();
        let own = attributes.keys().filter(|name| *name == "id" || *name == "type").count();
        prop_assert_eq!(flat.len(), attributes.len() - own + 2);
        for (name, value) in &object.attributes {
            if name != "id" && name != "type" {
                prop_assert!(flat.values().any(|v| v == value));
            }
        }
    }
}
