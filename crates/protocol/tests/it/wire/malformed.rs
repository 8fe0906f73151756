//! Hand-made bad messages: what Celery 5.7 does with each, and what we do.

use serde_json::Value;
use zc_events_protocol::{HeaderValue, Headers, Limits, Properties, Task};

use super::load::{Kind, base64, of_kind, vector};

/// The case; our outcome (`ok`, or the reason of the refusal); and where it differs from Celery's, why.
const CASES: [(&str, &str, &str); 62] = [
    ("v1_minimal_task_id", "ok", ""),
    ("v1_no_id", "ok", ""),
    ("v1_no_args_no_kwargs", "ok", ""),
    ("v1_no_kwargs", "ok", ""),
    ("v1_args_null", "bad_field", ""),
    ("v1_args_dict", "bad_field", "Celery uses the keys of an object as arguments, which no sender intends"),
    ("v1_kwargs_list", "bad_field", ""),
    ("v1_task_int", "bad_field", ""),
    ("v1_eta_garbage", "bad_field", ""),
    ("v1_expires_garbage", "bad_field", ""),
    ("v1_eta_null_utc_true", "ok", ""),
    ("v1_extra_keys", "ok", ""),
    ("v1_eta_naive_past_utc_false", "ok", ""),
    ("v1_eta_z_suffix", "ok", ""),
    ("json_empty_list", "not_a_task", ""),
    ("json_string", "not_a_task", ""),
    ("json_null", "not_a_task", ""),
    ("json_empty_obj", "not_a_task", ""),
    ("empty_body", "empty", ""),
    ("not_json", "malformed", ""),
    ("json_bom", "byte_order_mark", ""),
    ("v1_no_content_type", "ok", "a message without a content type can only be JSON in this fleet"),
    ("v1_content_type_text", "content_type", ""),
    ("v1_content_type_json_charset", "ok", "a content type may have parameters"),
    ("v1_no_content_encoding", "ok", ""),
    ("v1_content_encoding_binary", "ok", ""),
    ("v1_content_encoding_latin1", "charset", "JSON is UTF-8; guessing at other character sets corrupts text"),
    ("v1_content_encoding_utf16", "charset", "JSON is UTF-8; guessing at other character sets corrupts text"),
    ("v1_content_encoding_unknown", "ok", ""),
    ("v2_ok", "ok", ""),
    ("v2_minimal_headers", "ok", ""),
    ("v2_task_only_header", "missing_header", ""),
    ("v2_id_only_header", "not_a_task", ""),
    ("v2_two_tuple", "bad_field", ""),
    ("v2_four_tuple", "bad_field", ""),
    ("v2_embed_null", "ok", ""),
    ("v2_embed_empty", "ok", ""),
    ("v2_body_object_with_v2_headers", "ok", ""),
    ("v2_body_list_without_headers", "not_a_task", ""),
    ("v2_args_null", "bad_field", ""),
    ("v2_args_string", "bad_field", "Celery uses the letters of a string as arguments, which no sender intends"),
    ("v2_unknown_task", "ok", "a higher layer decides which tasks are known"),
    ("v2_eta_garbage", "bad_field", ""),
    ("v2_eta_past", "ok", ""),
    ("v2_expires_past", "ok", "whether a message has expired is decided above this layer, which has a clock"),
    ("v2_expires_garbage", "bad_field", ""),
    ("v2_retries_string", "ok", ""),
    ("v2_timelimit_short", "ok", ""),
    ("v2_compression_real_gzip", "ok", "what says gzip and is gzip can be read"),
    ("v2_compression_zlib_stream", "ok", ""),
    ("v2_compression_unknown", "compression", ""),
    ("v2_compression_header_but_plain", "inflate", ""),
    ("v2_compression_alias_name", "ok", ""),
    ("v2_bad_json", "malformed", ""),
    ("v2_nan", "not_a_number", "NaN is not JSON, and no Rust type would get what was meant"),
    ("v2_dup_keys", "ok", ""),
    ("v2_lone_surrogate", "lone_surrogate", "half a character is no text"),
    ("v2_deep_nesting_900", "too_deep", ""),
    ("v2_deep_nesting_100000", "too_deep", ""),
    ("v2_kombu_datetime", "ok", ""),
    ("v2_kombu_unknown_type", "rich_type", ""),
    ("v2_kombu_bad_datetime", "rich_type", ""),
];

fn plain(value: &Value) -> HeaderValue {
    match value {
        Value::Null => HeaderValue::Null,
        Value::Number(number) => HeaderValue::Int(number.as_i64().unwrap()),
        Value::String(text) => HeaderValue::Text(text.clone()),
        Value::Array(items) => HeaderValue::List(items.iter().map(plain).collect()),
        other => panic!("header {other}"),
    }
}

fn properties(case: &Value) -> Properties {
    let found = &case["properties"];
    let text = |key: &str| found.get(key).and_then(Value::as_str).map(str::to_owned);
    Properties {
        content_type: text("content_type"),
        content_encoding: text("content_encoding"),
        headers: found["headers"]
            .as_object()
            .map(|headers| headers.iter().map(|(key, value)| (key.clone(), plain(value))).collect::<Headers>()),
        ..Properties::default()
    }
}

fn body(name: &str, case: &Value) -> Vec<u8> {
    if name == "v2_deep_nesting_100000" {
        assert_eq!(case["body_note"], "[[\"e\", [[[[[... (200017 bytes)");
        let body = ["[[\"e\", ".to_owned(), "[".repeat(100_000), "]".repeat(100_000), "], {}, {}]".to_owned()].concat();
        assert_eq!(body.len(), 200_017);
        return body.into_bytes();
    }
    base64(&case["body_b64"])
}

/// Whether Celery hands it to the task's function, whatever that then does.
fn celery_runs(outcome: &str) -> bool {
    outcome == "succeeded" || outcome == "task raised"
}

#[test]
fn malformed_messages_are_treated_as_in_celery_or_the_difference_has_a_reason() {
    let (_, expectation) = of_kind(Kind::Malformed).pop().unwrap();
    let vector = vector("consumer_malformed_celery5");
    let cases = vector["cases"].as_object().unwrap();
    assert_eq!((cases.len(), Some(cases.len())), (CASES.len(), expectation.cases));
    for (name, wanted, why) in CASES {
        let case = &cases[name];
        let body = body(name, case);
        let found = Task::decode(&properties(case), &body, &Limits::default());
        let ours = found.as_ref().map_or_else(|error| error.reason(), |_| "ok");
        assert_eq!(ours, wanted, "{name}");
        let celery = case["outcome"].as_str().unwrap();
        assert_eq!(
            celery_runs(celery) == found.is_ok(),
            why.is_empty(),
            "{name}: Celery: {celery}; ours: {ours}; {why}"
        );
        if let Ok(task) = found
            && case["result"].is_string()
            && task.kwargs.is_empty()
            && task.args.len() == 1
        {
            let result = format!("('legacy', '{}', (), {{}})", task.event_type().unwrap());
            assert_eq!(case["result"], result, "{name}");
        }
    }
}

#[test]
fn messages_that_kill_a_celery_worker_are_refused() {
    let vector = vector("consumer_malformed_celery5");
    let mut deadly = 0;
    for (name, case) in vector["cases"].as_object().unwrap() {
        if case["outcome"].as_str().unwrap().starts_with("WORKER CRASHED") {
            deadly += 1;
            assert!(Task::decode(&properties(case), &body(name, case), &Limits::default()).is_err(), "{name}");
        }
    }
    assert_eq!(deadly, 4);
}
