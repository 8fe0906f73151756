//! Tests of the store in memory beyond the conformance suite.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use zc_events_protocol::{Clock, ManualClock, SystemClock};

use super::MemoryReplyStore;
use crate::{Claim, ReplyStore};

const MINUTE: Duration = Duration::from_secs(60);

fn manual() -> (ManualClock, MemoryReplyStore) {
    let clock = ManualClock::new();
    (clock.clone(), MemoryReplyStore::new(Arc::new(clock)))
}

fn until_waiting(store: &MemoryReplyStore, count: usize) {
    while store.waiting() != count {
        thread::yield_now();
    }
}

#[test]
fn conforms() {
    crate::conformance::run(&|| Arc::new(MemoryReplyStore::new(Arc::new(SystemClock))));
}

#[test]
fn a_list_lives_for_its_ttl_in_whole_seconds_counted_from_the_last_push() {
    let (clock, store) = manual();
    let now = || clock.deadline(Duration::ZERO);
    store.push("k", b"1", Duration::from_millis(1500), clock.deadline(MINUTE)).unwrap();
    clock.advance(Duration::from_millis(1900));
    store.push("k", b"2", Duration::from_secs(3), clock.deadline(MINUTE)).unwrap();
    clock.advance(Duration::from_millis(2999));
    assert_eq!(store.pop(&["k"], now()).unwrap().unwrap().1, b"1");
    clock.advance(Duration::from_millis(1));
    assert_eq!(store.pop(&["k"], now()).unwrap(), None);
}

#[test]
fn a_waiting_pop_ends_by_the_clock_alone() {
    let (clock, store) = manual();
    let deadline = clock.deadline(MINUTE);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| store.pop(&["k"], deadline));
        until_waiting(&store, 1);
        clock.advance(MINUTE - Duration::from_nanos(1));
        assert!(!waiting.is_finished());
        assert_eq!(store.waiting(), 1);
        // The alarm may be set after the call is counted as waiting. It is in the past then.
        clock.advance(Duration::from_nanos(1));
        assert_eq!(waiting.join().unwrap().unwrap(), None);
    });
    assert_eq!(store.waiting(), 0);
}

#[test]
fn the_call_that_has_waited_longest_is_served_first() {
    let (clock, store) = manual();
    let deadline = clock.deadline(MINUTE);
    thread::scope(|scope| {
        let first = scope.spawn(|| store.pop(&["other", "k"], deadline));
        until_waiting(&store, 1);
        let second = scope.spawn(|| store.pop(&["k"], deadline));
        until_waiting(&store, 2);
        store.push("k", b"1", MINUTE, deadline).unwrap();
        store.push("k", b"2", MINUTE, deadline).unwrap();
        assert_eq!(first.join().unwrap().unwrap().unwrap().1, b"1");
        assert_eq!(second.join().unwrap().unwrap().unwrap().1, b"2");
    });
}

#[test]
fn a_failure_ends_waiting_calls_and_loses_nothing() {
    let (clock, store) = manual();
    let deadline = clock.deadline(MINUTE);
    store.push("kept", b"v", MINUTE, deadline).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| store.pop(&["k"], deadline));
        until_waiting(&store, 1);
        store.fail_with(Some("gone for lunch"));
        assert_eq!(waiting.join().unwrap().unwrap_err().to_string(), "gone for lunch");
    });
    assert!(store.push("k", b"v", MINUTE, deadline).unwrap_err().is_retryable());
    assert!(store.pop(&["k"], deadline).is_err());
    assert!(store.ping(deadline).is_err());
    store.fail_with(None);
    store.ping(deadline).unwrap();
    assert_eq!(store.pop(&["kept"], deadline).unwrap().unwrap().1, b"v");
}

#[test]
fn a_lease_ends_by_the_clock() {
    let (clock, store) = manual();
    let soon = || clock.deadline(MINUTE);
    assert_eq!(store.claim("k", "a", MINUTE, soon()).unwrap(), Claim::Granted);
    clock.advance(MINUTE - Duration::from_millis(5));
    let left = Duration::from_millis(5);
    assert_eq!(store.claim("k", "b", MINUTE, soon()).unwrap(), Claim::Held { for_at_most: left });
    clock.advance(left);
    assert!(!store.renew("k", "a", MINUTE, soon()).unwrap());
    assert_eq!(store.claim("k", "b", MINUTE, soon()).unwrap(), Claim::Granted);
    assert!(!store.complete("k", "a", b"late", MINUTE, soon()).unwrap());
}

#[test]
fn health_shows_the_last_result_and_the_waiting_calls() {
    let (clock, store) = manual();
    let deadline = clock.deadline(MINUTE);
    assert_eq!(store.health().reachable, None);
    store.ping(deadline).unwrap();
    assert_eq!(store.health().reachable, Some(true));
    thread::scope(|scope| {
        scope.spawn(|| store.pop(&["k"], deadline).unwrap_err());
        until_waiting(&store, 1);
        assert_eq!(store.health().waiting, 1);
        store.fail_with(Some("gone"));
    });
    assert!(store.ping(deadline).is_err());
    let health = store.health();
    assert_eq!((health.reachable, health.waiting), (Some(false), 0));
    assert_eq!((health.last_error.as_deref(), health.last_error_at), (Some("gone"), Some(clock.now())));
    store.fail_with(None);
    store.ping(deadline).unwrap();
    assert_eq!(store.health().reachable, Some(true));
    assert!(store.health().last_error.is_some());
}

#[test]
fn expired_lists_do_not_pile_up() {
    let (clock, store) = manual();
    for number in 0..10_000 {
        store.push(&number.to_string(), b"v", Duration::from_secs(1), clock.deadline(MINUTE)).unwrap();
        clock.advance(Duration::from_millis(100));
    }
    assert!(store.0.lock().list_count() <= 64);
}

#[test]
fn a_named_store_ends_with_its_last_handle() {
    let name = "memory-test-lifetime";
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let one = MemoryReplyStore::named(name, clock.clone());
    one.push("k", b"v", MINUTE, clock.deadline(MINUTE)).unwrap();
    let two = MemoryReplyStore::named(name, clock.clone());
    drop(one);
    assert!(two.pop(&["k"], clock.deadline(Duration::ZERO)).unwrap().is_some());
    two.push("k", b"v", MINUTE, clock.deadline(MINUTE)).unwrap();
    drop(two);
    let three = MemoryReplyStore::named(name, clock.clone());
    assert!(three.pop(&["k"], clock.deadline(Duration::ZERO)).unwrap().is_none());
}

#[test]
fn debug_shows_no_values() {
    let (clock, store) = manual();
    store.push("canary-key", b"canary", MINUTE, clock.deadline(MINUTE)).unwrap();
    assert_eq!(format!("{store:?}"), "MemoryReplyStore { lists: 1, waiting: 0 }");
}
