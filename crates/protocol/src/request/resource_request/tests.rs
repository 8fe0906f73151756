//! Tests of requests for resources.

use serde_json::json;

use super::*;
use crate::EncodeOptions;

#[test]
fn a_parameter_is_replaced_in_its_place() {
    let request = ResourceRequest::new("Order").query_param("a", 1).query_param("b", 2).query_param("a", 3);
    assert_eq!(request.query_string().as_deref(), Some("a=3&b=2"));
    assert_eq!(ResourceRequest::new("Order").query_string(), None);
}

#[test]
fn ids_that_are_false_in_python_are_refused() {
    let options = EncodeOptions::default();
    for pk in [json!(""), json!(0), json!(false), json!([]), json!({})] {
        assert!(ResourceRequest::new("Order").pk(pk.clone()).encode(&options).is_err(), "{pk}");
    }
    assert!(ResourceRequest::new("Order").pks(Vec::<u8>::new()).encode(&options).is_err());
    assert!(ResourceRequest::new("Order").pks(Vec::<u8>::new()).pks([1]).encode(&options).is_ok());
    assert!(ResourceRequest::new("").encode(&options).is_err());
    assert!(ResourceRequest::new("Order").with_response_key("").encode(&options).is_err());
}

#[test]
fn a_link_is_followed_by_its_query_alone() {
    let request = ResourceRequest::new("Order").pks([1, 2]).user("56").priority(3);
    for link in ["https://elsewhere/x?page=2&a=%26#end", "?page=2&a=%26", "/orders?page=2&a=%26"] {
        let next = request.following(link).unwrap();
        assert_eq!(next.query_string().as_deref(), Some("page=2&a=%26"), "{link}");
        assert_eq!((next.event_type(), &next.user_id, next.priority), ("order_request", &json!("56"), Some(3)));
    }
    for link in ["", "/orders", "/orders?", "/orders#?page=2"] {
        assert_eq!(request.following(link).unwrap_err().reason(), "bad_field", "{link}");
    }
}

#[test]
fn a_relationship_is_named_only_where_set() {
    assert!(!ResourceRequest::new("Order").to_event().kwargs().contains_key("relationship"));
    let event = ResourceRequest::new("Order").pk(1).relationship("items").to_event();
    assert_eq!(event.kwargs()["relationship"], "items");
}

#[test]
fn debug_shows_no_body() {
    let request = ResourceRequest::new("Order").body("hush").query_param("token", "hush").user("hush");
    assert!(!format!("{request:?}").contains("hush"));
}
