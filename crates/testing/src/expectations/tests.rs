//! Matching, counting and the texts about requests without a match.

use super::*;
use crate::received_request::RequestTarget;
use serde_json::json;
use zc_events_protocol::{EncodeOptions, Limits, Method, Task};

fn get(resource: &str, pk: Option<&str>) -> ReceivedRequest {
    ReceivedRequest {
        target: RequestTarget::resource(resource),
        method: Some("GET".to_owned()),
        pk: pk.map(str::to_owned),
        query: Vec::new(),
        related_resource: None,
        relationship: None,
        user: None,
        roles: vec!["anonymous".to_owned()],
        data: None,
        headers: serde_json::Value::Null,
        response_key: Some("request-1".to_owned()),
    }
}

fn status(found: Lookup) -> Result<u16, String> {
    match found {
        Lookup::Reply(ExpectedReply::Status { status, .. }, _) => Ok(status),
        Lookup::Reply(..) => panic!("no status"),
        Lookup::NoMatch(why) => Err(why),
    }
}

#[test]
fn the_first_match_answers_until_it_is_used_up() {
    let expectations = Expectations::new([
        Expectation::get("Order").pk(1).status(201),
        Expectation::get("Order").pk(1).status(202).times(2),
        Expectation::get("Order").any_pk().status(203).always(),
    ]);
    let ask = || status(expectations.find(&get("Order", Some("1"))));
    assert_eq!([ask(), ask(), ask(), ask(), ask()].map(Result::unwrap), [201, 202, 202, 203, 203]);
    assert!(expectations.unmet().is_empty());
    assert_eq!(status(expectations.find(&get("Order", None))).unwrap(), 203);
}

#[test]
fn a_standing_expectation_is_expected_always_unless_it_sets_times() {
    let expectations = Expectations::standing([Expectation::get("Order").pk(1).status(201).times(1)]);
    expectations.extend([Expectation::get("Order").pk(1).status(202)]);
    let ask = || status(expectations.find(&get("Order", Some("1")))).unwrap();
    assert_eq!([ask(), ask(), ask()], [201, 202, 202]);
    expectations.replace([Expectation::get("Order").pk(1).status(203)]);
    assert_eq!([ask(), ask()], [203, 203]);
    assert!(expectations.unmet().is_empty());
}

#[test]
fn a_request_without_a_match_names_the_closest_expectation() {
    let expectations = Expectations::new([
        Expectation::get("Company").pk(1),
        Expectation::get("Order").pk(1).query("include", "items"),
        Expectation::call("order_request"),
    ]);
    let told = |request: &ReceivedRequest| status(expectations.find(request)).unwrap_err();
    assert_eq!(
        told(&get("Order", Some("2"))),
        r#"no match; closest expectation: GET Order "1"?include=items (pk differs: got "2"; query parameter include is missing)"#
    );
    let with_query = ReceivedRequest { query: vec![("include".into(), "items".into())], ..get("Order", Some("1")) };
    assert!(status(expectations.find(&with_query)).is_ok());
    assert_eq!(
        told(&with_query),
        r#"no match; closest expectation: GET Order "1"?include=items (used up: answered 1 time)"#
    );
    assert_eq!(told(&get("Invoice", Some("1"))), "no expectation for a GET request for Invoice");
    assert_eq!(
        Expectations::default().find(&get("Order", None)),
        Lookup::NoMatch("there are no expectations".to_owned())
    );
}

#[test]
fn a_match_meets_all_conditions() {
    let request = ReceivedRequest {
        query: vec![("filter[id__in]".into(), "2,1".into()), ("page_size".into(), "5".into())],
        user: Some(json!("56")),
        related_resource: Some("items".into()),
        data: Some(json!({"a": 1})),
        ..get("Order", None)
    };
    let base = || Expectation::get("Order").related_resource("items");
    let matches = |expectation: Expectation| expectation.matcher.matches(&request);
    assert!(matches(base()));
    assert!(matches(base().pks([1, 2]).user(56).roles(["anonymous"]).data(json!({"a": 1})).query("page_size", 5)));
    for other in [
        base().pks([1]),
        base().user("57"),
        base().roles(["service"]),
        base().data(json!({"a": 2})),
        base().query("page_size", 6),
        base().pk(1),
        base().relationship("items"),
        base().related_resource("company"),
        Expectation::get("Order"),
        Expectation::post("Order").related_resource("items"),
        Expectation::call("order_request"),
    ] {
        assert!(!matches(other.clone()), "{other:?}");
    }
}

#[test]
fn conditions_of_a_call_apply_to_its_headers() {
    let call = zc_events_protocol::Call::new("fl", Method::Get)
        .headers(json!({"user_id": 56, "roles": ["staff"], "pk": 5, "query_string": "a=1&b=2", "tenant": "x"}))
        .unwrap();
    let encoded = call.encode(&EncodeOptions::default()).unwrap();
    let task = Task::decode(&encoded.properties, &encoded.body, &Limits::default()).unwrap();
    let request = ReceivedRequest::of(&task).unwrap();
    let base = || Expectation::call("fl");
    let matches = |expectation: Expectation| expectation.matcher.matches(&request);
    assert!(matches(base()) && matches(base().pk("5").user("56").roles(["staff"]).query("b", 2).header("tenant", "x")));
    for other in [
        base().pk(6),
        base().user(57),
        base().roles(["service"]),
        base().query("b", 3),
        base().header("tenant", "hunter2"),
        base().header("other", 1),
    ] {
        let told: Vec<String> =
            other.matcher.differences(&request).into_iter().map(|difference| difference.text).collect();
        assert!(told.len() == 1 && !told[0].contains("hunter2"), "{other:?}: {told:?}");
    }
    let unknown = ReceivedRequest { target: RequestTarget::Call { key: "unknown".to_owned() }, ..request };
    assert_eq!(
        status(Expectations::new([base()]).find(&unknown)).unwrap_err(),
        "no expectation for a GET call of `unknown`"
    );
}

#[test]
fn a_random_failure_has_the_form_of_its_request() {
    let call =
        ReceivedRequest { target: RequestTarget::Call { key: "add".to_owned() }, method: None, ..get("Order", None) };
    match Expectations::new([Expectation::call("add").returns(1).error_rate(1.0)]).find(&call) {
        Lookup::Reply(ExpectedReply::Errors(errors), _) => {
            assert!(errors[0].kind == "RandomFailure" && errors[0].message.contains("random failure"));
        }
        other => panic!("{other:?}"),
    }
    let expectations = Expectations::new([Expectation::get("Order").error_rate(1.0)]);
    assert_eq!(status(expectations.find(&get("Order", None))), Ok(500));
}
