//! The crate against what the original programs put on the wire (`tests/vectors`), by the
//! expectations that Python wrote (`tests/expectations.json`).

mod behaviours;
mod calls;
mod celery;
mod decoding;
mod events;
mod load;
mod malformed;
mod outcomes;
mod raised;
mod replies;
mod requests;
mod topology;

use std::collections::BTreeSet;

use load::{Kind, expectations};

#[test]
fn every_vector_has_an_expectation() {
    let files: BTreeSet<String> = load::files();
    let expected: BTreeSet<String> = expectations().into_keys().collect();
    assert_eq!(files, expected, "run tests/vectors/expect.py");
    assert_eq!(files.len(), 429);
}

/// Each kind is gone through whole by the module that is named here.
#[test]
fn every_kind_of_vector_is_tested() {
    for (name, expectation) in expectations() {
        match expectation.kind {
            Kind::Message => {} // decoding; events, requests, calls, celery
            Kind::Reply | Kind::CallReply | Kind::Unanswered | Kind::Monitor => assert!(name.starts_with("redis_")), // replies
            Kind::Raised | Kind::NothingSent => {}                        // raised
            Kind::Topology => assert!(name.starts_with("topology_")),     // topology
            Kind::Behaviours => assert!(name.starts_with("behaviours_")), // behaviours
            Kind::Outcomes => assert!(name.starts_with("consumer_outcomes_")), // outcomes
            Kind::Malformed => assert_eq!(name, "consumer_malformed_celery5"), // malformed
        }
    }
}

/// Each message is built again by exactly one module, or excluded with a reason.
#[test]
fn every_message_vector_is_rebuilt_or_excluded() {
    for (name, _) in load::of_kind(Kind::Message) {
        let homes = [
            events::builds(&name),
            requests::builds(&name),
            calls::builds(&name),
            celery::builds(&name),
            load::exclusion(&name).is_some(),
        ];
        assert_eq!(homes.iter().filter(|home| **home).count(), 1, "{name}: {homes:?}");
    }
}
