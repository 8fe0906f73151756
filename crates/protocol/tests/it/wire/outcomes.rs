//! What became of each message in a real Celery worker, beside what we make of it.

use std::collections::BTreeSet;

use zc_events_protocol::{Call, EncodeOptions, Limits, Method, Protocol, Task};

use super::load::{Kind, expectations, message, of_kind, vector};

/// Messages of the vectors with their outcome in that worker, and our own.
fn both(name: &str) -> Vec<(String, String, Result<Task, &'static str>)> {
    let vectors = expectations();
    let outcomes = vector(name);
    let outcomes = outcomes["outcomes"].as_object().unwrap();
    let found: Vec<_> = outcomes
        .iter()
        .filter(|(name, _)| vectors.get(*name).is_some_and(|expectation| expectation.kind == Kind::Message))
        .map(|(name, outcome)| {
            let (properties, body) = message(&vector(name));
            let ours = Task::decode(&properties, &body, &Limits::default()).map_err(|error| error.reason());
            (name.clone(), outcome["outcome"].as_str().unwrap().to_owned(), ours)
        })
        .collect();
    assert!(found.len() > 150, "{}", found.len());
    found
}

#[test]
fn captured_outcomes_are_complete() {
    for (name, expectation) in of_kind(Kind::Outcomes) {
        assert_eq!(vector(&name)["outcomes"].as_object().map(|outcomes| outcomes.len()), expectation.cases, "{name}");
    }
}

#[test]
fn messages_that_celery_5_accepts_are_accepted_except_numbers_out_of_range() {
    let mut differing = BTreeSet::new();
    for (name, outcome, ours) in both("consumer_outcomes_celery5") {
        let refused = outcome.contains("decode error") || outcome.contains("content disallowed");
        if refused {
            assert!(ours.is_err(), "{name}: {outcome}");
        } else if let Err(reason) = ours {
            differing.insert((name, reason));
        }
    }
    let differing: Vec<_> = differing.iter().map(|(name, reason)| (name.as_str(), *reason)).collect();
    assert_eq!(
        differing,
        [
            ("celery3_send_task_nan", "not_a_number"),
            ("celery3_send_task_nested", "integer_out_of_range"),
            ("celery4_send_task_nan", "not_a_number"),
            ("celery4_send_task_nested", "integer_out_of_range"),
            ("celery5_send_task_nested", "integer_out_of_range"),
            ("head_event_bigint_huge", "integer_out_of_range"),
            ("head_event_float_nan", "not_a_number"),
            ("head_verb_post_nested", "integer_out_of_range"),
        ]
    );
}

#[test]
fn messages_that_kill_celery_3_are_never_sent() {
    let mut deadly = 0;
    for (name, outcome, ours) in both("consumer_outcomes_celery3") {
        let (properties, _) = message(&vector(&name));
        let without = |header| properties.headers.as_ref().is_some_and(|headers| !headers.contains_key(header));
        let crashed = outcome.starts_with("WORKER CRASHED");
        deadly += usize::from(crashed);
        if let Ok(task) = &ours {
            let lacking = task.protocol == Protocol::V2 && (without("eta") || without("expires"));
            assert_eq!(crashed, lacking, "{name}: {outcome}");
        } else {
            assert!(crashed || ours.is_err(), "{name}");
        }
        if outcome.contains("decode error") {
            assert!(ours.is_err(), "{name}");
        }
    }
    assert!(deadly > 0);
    let headers = Call::new("k", Method::Get).encode(&EncodeOptions::default()).unwrap().properties.headers.unwrap();
    assert!(headers["eta"].is_null() && headers["expires"].is_null());
}
