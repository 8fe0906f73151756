//! What the original does in odd cases, as far as the form of messages has to do with it; and
//! what we do.

use serde_json::json;
use zc_events_protocol::names::events_queue;
use zc_events_protocol::{Call, CallReply, EncodeOptions, Limits, Method, Query, Reply, ResourceRequest};

use super::calls;
use super::load::{Kind, of_kind, vector};

#[test]
fn headers_stay_small_for_large_arguments() {
    let head = vector("behaviours_head");
    assert_eq!(head["head_140KiB_payload"]["messages_lost_silently"], true);
    let encoded = calls::build("verb_post_no_wait_140kib", &json!(null)).encode(&EncodeOptions::default()).unwrap();
    assert!(encoded.properties.headers.unwrap()["argsrepr"].as_str().unwrap().len() <= 1024);
}

#[test]
fn garbage_and_empty_replies_are_distinct_errors() {
    let head = vector("behaviours_head");
    assert!(head["garbage_response"]["raised"].as_str().unwrap().starts_with("zlib.error"));
    assert_eq!(Reply::decode(b"garbage", &Limits::default()).unwrap_err().reason(), "inflate");
    // An empty answer is no failure.
    assert!(head["jsonapi_empty_body_204"]["raised"].as_str().unwrap().contains("JSONDecodeError"));
    let empty = Reply::decode(&Reply::empty(204).encode().unwrap(), &Limits::default()).unwrap();
    assert_eq!((empty.status, empty.document()), (204, Ok(None)));
    // A refusal is an answer with its document, whichever call it answers.
    assert!(head["status_404_complete"]["raised"].as_str().unwrap().contains("ServiceRequestException"));
    let refused = Reply::new(404, &json!({"errors": []})).unwrap();
    assert!(refused.is_error() && refused.document().unwrap().is_some());
}

#[test]
fn arguments_of_the_caller_are_not_modified() {
    let head = vector("behaviours_head");
    assert_eq!(head["query_params_mutated"]["after"]["include"], "x");
    let query = Query::default().with("filter[a]", "b");
    let _ = query.clone().with("include", "x").with("page_size", 3);
    let base = ResourceRequest { query, ..ResourceRequest::new("Order") };
    assert_eq!(base.query_string().as_deref(), Some("filter%5Ba%5D=b"));
    // The response key has a setter of its own, and is no keyword.
    assert!(head["response_key_kwarg"]["raised"].as_str().unwrap().contains("reserved key"));
    let event = ResourceRequest { response_key: "k".to_owned(), ..base }.to_event().unwrap();
    assert_eq!(event.kwargs()["response_key"], "k");
}

#[test]
fn error_reply_without_errors_is_read() {
    let head = vector("behaviours_head");
    let first = head["two_services_map_the_same_name"]["client_gets"].as_str().unwrap();
    let reply = CallReply::decode(first.as_bytes(), &Limits::default()).unwrap();
    assert_eq!((reply.data, reply.has_errors), (json!(1), false));
}

/// A request that timed out in the original is run all the same, later; here it can carry its end.
#[test]
fn request_carries_its_expiry() {
    let head = vector("behaviours_head");
    assert_eq!(head["timed_out_request_still_queued"]["messages_in_consumer_queue"], 2);
    let waits: Vec<f64> = of_kind(Kind::Behaviours)
        .iter()
        .filter_map(|(name, _)| vector(name)["get_remote_resource_timeout"]["seconds"].as_f64())
        .collect();
    assert_eq!(waits.len(), 5);
    for seconds in waits {
        let wait = std::time::Duration::from_secs_f64(seconds);
        let options = EncodeOptions { expiration: Some(wait), ..EncodeOptions::default() };
        for encoded in [
            ResourceRequest::new("Order").encode(&options).unwrap(),
            Call::new("add", Method::Get).encode(&options).unwrap(),
        ] {
            let millis: u128 = encoded.properties.expiration.unwrap().parse().unwrap();
            assert_eq!(millis, wait.as_millis());
            assert_eq!(encoded.properties.delivery_mode, Some(1));
        }
    }
}

/// The original declares its own queue on each publish, and fails where that exists otherwise.
#[test]
fn queue_name_equals_the_one_python_declares() {
    for (name, _) in of_kind(Kind::Behaviours) {
        if let Some(calls) = vector(&name)["readme_queue_args_mismatch"].as_array() {
            for call in calls {
                let raised = call["raised"].as_str().unwrap();
                assert!(raised.contains("ChannelClosed") || raised.contains("ChannelWrongStateError"), "{name}");
                if raised.contains("queue '") {
                    assert!(raised.contains(&format!("queue '{}'", events_queue("wire-readme"))), "{name}");
                }
            }
        }
        // A publish to nowhere looks like success there: nothing in the message can prevent it.
        let unroutable = &vector(&name)["unroutable_no_queue_bound"];
        assert!(unroutable["raised"].is_null() && !unroutable.is_null(), "{name}");
    }
}
