//! Tests of requests for resources.

use serde_json::json;

use super::*;
use crate::EncodeOptions;

fn order() -> ResourceRequest {
    ResourceRequest::new("Order")
}

fn with_pk(pk: Value) -> ResourceRequest {
    ResourceRequest { pk, ..order() }
}

#[test]
fn a_parameter_is_replaced_in_its_place() {
    let query = Query::default().with("a", 1).with("b", 2).with("a", 3);
    assert_eq!(ResourceRequest { query, ..order() }.query_string().as_deref(), Some("a=3&b=2"));
    assert_eq!(order().query_string(), None);
}

#[test]
fn ids_that_python_takes_for_false_are_refused() {
    let options = EncodeOptions::default();
    for pk in [json!(""), json!(0), json!(false), json!([]), json!({})] {
        assert!(with_pk(pk.clone()).encode(&options).is_err(), "{pk}");
    }
    assert!(ResourceRequest::new("").encode(&options).is_err());
    assert!(ResourceRequest { response_key: String::new(), ..order() }.encode(&options).is_err());
}

#[test]
fn only_the_query_of_a_link_is_followed() {
    let request = ResourceRequest { user_id: json!("56"), priority: Some(3), ..with_pk(json!(1)) };
    for link in ["https://elsewhere/x?page=2&a=%26#end", "?page=2&a=%26", "/orders?page=2&a=%26"] {
        let next = request.following(link).unwrap();
        assert_eq!(next.query_string().as_deref(), Some("page=2&a=%26"), "{link}");
        assert_eq!((next.pk, next.user_id, next.priority), (json!(1), json!("56"), Some(3)));
    }
    for link in ["", "/orders", "/orders?", "/orders#?page=2"] {
        assert_eq!(request.following(link).unwrap_err().reason(), "bad_field", "{link}");
    }
}

#[test]
fn a_relationship_is_sent_only_if_it_is_set() {
    assert!(!order().to_event().unwrap().kwargs().contains_key("relationship"));
    let event = ResourceRequest { relationship: Some("items".to_owned()), ..with_pk(json!(1)) }.to_event();
    assert_eq!(event.unwrap().kwargs()["relationship"], "items");
}

#[test]
fn debug_shows_no_body() {
    let query = Query::default().with("token", "hush");
    let request = ResourceRequest { body: json!("hush"), query, user_id: json!("hush"), ..order() };
    assert!(!format!("{request:?}").contains("hush"));
}
