//! What every [`ReplyStore`] does, as tests: run against each implementation, so that they do
//! not drift apart. For tests only; it panics when a store does not conform.
//!
//! Waits in real time, some seconds altogether. Keys are new in each run, so a server may be shared.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use zc_events_protocol::clock::pause;
use zc_events_protocol::{Clock, Deadline, SystemClock};

use crate::{Error, ReplyStore};

/// Makes a store that is ready for use; all that it makes may share their contents.
pub type Make<'a> = &'a dyn Fn() -> Arc<dyn ReplyStore>;

/// One behaviour; panics where it is missing.
pub type Case = fn(Make<'_>);

/// Every behaviour under its name.
pub const CASES: &[(&str, Case)] = &[
    ("ping_answers", ping_answers),
    ("values_come_in_the_order_of_pushing", values_come_in_the_order_of_pushing),
    ("values_and_keys_are_kept_to_the_byte", values_and_keys_are_kept_to_the_byte),
    ("a_value_of_5_mib_passes", a_value_of_5_mib_passes),
    ("the_first_key_with_a_value_wins", the_first_key_with_a_value_wins),
    ("no_keys_is_an_error", no_keys_is_an_error),
    ("a_pop_without_a_value_ends_on_time", a_pop_without_a_value_ends_on_time),
    ("a_passed_deadline_still_takes_what_is_there", a_passed_deadline_still_takes_what_is_there),
    ("a_passed_deadline_pushes_nothing", a_passed_deadline_pushes_nothing),
    ("a_waiting_pop_is_woken", a_waiting_pop_is_woken),
    ("a_waiting_pop_finds_any_of_its_keys", a_waiting_pop_finds_any_of_its_keys),
    ("a_popped_key_is_waited_for_again", a_popped_key_is_waited_for_again),
    ("two_waiters_get_a_value_each", two_waiters_get_a_value_each),
    ("a_list_ends_after_its_ttl", a_list_ends_after_its_ttl),
    ("a_push_renews_the_ttl", a_push_renews_the_ttl),
    ("fifty_threads_do_not_mix_up_their_values", fifty_threads_do_not_mix_up_their_values),
    ("those_who_wait_do_not_keep_others_from_pushing", those_who_wait_do_not_keep_others_from_pushing),
];

/// Runs every case of [`CASES`].
///
/// # Panics
/// When a case fails, with its name on standard error.
pub fn run(make: Make<'_>) {
    for (name, case) in CASES {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| case(make))) {
            eprintln!("conformance: {name} failed");
            resume_unwind(panic);
        }
    }
}

const TTL: Duration = Duration::from_secs(60);
/// Longer than anything here should take, on a busy machine.
const PLENTY: Duration = Duration::from_secs(20);

fn soon() -> Deadline {
    SystemClock.deadline(PLENTY)
}

fn within(millis: u64) -> Deadline {
    SystemClock.deadline(Duration::from_millis(millis))
}

/// A key that no other run has.
fn key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemClock.wall().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("zc-conformance-{}-{nanos}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn pass(millis: u64) {
    let (_never, interrupt) = crossbeam_channel::bounded(0);
    assert!(pause(&SystemClock, within(millis), &interrupt));
}

fn found(key: &str, value: impl Into<Vec<u8>>) -> Option<(String, Vec<u8>)> {
    Some((key.to_owned(), value.into()))
}

/// `ping` succeeds.
pub fn ping_answers(make: Make<'_>) {
    make().ping(soon()).unwrap();
}

/// First in, first out, under each key.
pub fn values_come_in_the_order_of_pushing(make: Make<'_>) {
    let (store, key) = (make(), key());
    for number in 0..20_u8 {
        store.push(&key, &[number], TTL, soon()).unwrap();
    }
    for number in 0..20_u8 {
        assert_eq!(store.pop(&[&key], soon()).unwrap(), found(&key, [number]));
    }
}

/// Any bytes as values, none too; any text as a key.
pub fn values_and_keys_are_kept_to_the_byte(make: Make<'_>) {
    let store = make();
    let every: Vec<u8> = (0..=255).collect();
    for value in [&every[..], b"", b"\r\n", b"$-1\r\n", b"\0"] {
        for key in [key(), format!("{} \r\n\0 \u{1f980} *1", key())] {
            store.push(&key, value, TTL, soon()).unwrap();
            assert_eq!(store.pop(&[&key], soon()).unwrap(), found(&key, value));
        }
    }
}

/// A large answer arrives whole.
pub fn a_value_of_5_mib_passes(make: Make<'_>) {
    let (store, key) = (make(), key());
    let value: Vec<u8> = (0..5 * 1024 * 1024_u32).map(|n| (n % 251) as u8).collect();
    store.push(&key, &value, TTL, soon()).unwrap();
    assert!(store.pop(&[&key], soon()).unwrap() == found(&key, value));
}

/// The order of the keys decides, not that of the pushes.
pub fn the_first_key_with_a_value_wins(make: Make<'_>) {
    let (store, a, b, c) = (make(), key(), key(), key());
    store.push(&c, b"c", TTL, soon()).unwrap();
    store.push(&b, b"b", TTL, soon()).unwrap();
    let keys = [a.as_str(), &b, &c];
    assert_eq!(store.pop(&keys, soon()).unwrap(), found(&b, "b"));
    assert_eq!(store.pop(&keys, soon()).unwrap(), found(&c, "c"));
    assert_eq!(store.pop(&keys, within(50)).unwrap(), None);
}

/// Nothing to wait for is a mistake of the caller, told at once.
pub fn no_keys_is_an_error(make: Make<'_>) {
    assert!(matches!(make().pop(&[], soon()), Err(Error::Config { .. })));
}

/// Not before the deadline, and not much later, for waits short and long.
pub fn a_pop_without_a_value_ends_on_time(make: Make<'_>) {
    let store = make();
    store.ping(soon()).unwrap();
    for millis in [3, 40, 300, 1001, 1700] {
        let deadline = within(millis);
        let result = store.pop(&[&key(), &key()], deadline).unwrap();
        let late = Instant::now().checked_duration_since(deadline.instant());
        assert_eq!(result, None);
        let late = late.unwrap_or_else(|| panic!("a pop of {millis} ms ended before its deadline"));
        assert!(late < Duration::from_secs(2), "a pop of {millis} ms ended {late:?} late");
    }
}

/// It looks once, without waiting.
pub fn a_passed_deadline_still_takes_what_is_there(make: Make<'_>) {
    let (store, key) = (make(), key());
    store.push(&key, b"v", TTL, soon()).unwrap();
    assert_eq!(store.pop(&[&key], within(0)).unwrap(), found(&key, "v"));
    assert_eq!(store.pop(&[&key], within(0)).unwrap(), None);
}

/// A call that is too late has no effect.
pub fn a_passed_deadline_pushes_nothing(make: Make<'_>) {
    let (store, key) = (make(), key());
    store.ping(soon()).unwrap();
    assert!(store.push(&key, b"v", TTL, within(0)).unwrap_err().is_timeout());
    assert!(store.ping(within(0)).unwrap_err().is_timeout());
    assert_eq!(store.pop(&[&key], within(30)).unwrap(), None);
}

/// Long before its deadline.
pub fn a_waiting_pop_is_woken(make: Make<'_>) {
    let (store, key) = (make(), key());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| (store.pop(&[&key], soon()).unwrap(), Instant::now()));
        // Long enough that the pop waits, most of the time; it must succeed either way.
        pass(150);
        let pushed = Instant::now();
        store.push(&key, b"v", TTL, soon()).unwrap();
        let (value, woken) = waiting.join().unwrap();
        assert_eq!(value, found(&key, "v"));
        assert!(woken >= pushed && woken - pushed < PLENTY / 4, "woken after {:?}", woken - pushed);
    });
}

/// A pop that waits under several keys ends with the first value under any, and says which.
pub fn a_waiting_pop_finds_any_of_its_keys(make: Make<'_>) {
    let store = make();
    for which in 0..3 {
        let keys = [key(), key(), key()];
        thread::scope(|scope| {
            let waiting = scope.spawn(|| store.pop(&keys.each_ref().map(String::as_str), soon()).unwrap());
            pass(50);
            store.push(&keys[which], b"v", TTL, soon()).unwrap();
            assert_eq!(waiting.join().unwrap(), found(&keys[which], "v"));
        });
    }
}

/// A value is taken once.
pub fn a_popped_key_is_waited_for_again(make: Make<'_>) {
    let (store, key) = (make(), key());
    store.push(&key, b"1", TTL, soon()).unwrap();
    assert_eq!(store.pop(&[&key], soon()).unwrap(), found(&key, "1"));
    assert_eq!(store.pop(&[&key], within(100)).unwrap(), None);
    store.push(&key, b"2", TTL, soon()).unwrap();
    assert_eq!(store.pop(&[&key], soon()).unwrap(), found(&key, "2"));
}

/// Nobody gets the same value, nobody gets none.
pub fn two_waiters_get_a_value_each(make: Make<'_>) {
    let (store, key) = (make(), key());
    thread::scope(|scope| {
        let waiting = [(); 2].map(|()| scope.spawn(|| store.pop(&[&key], soon()).unwrap().unwrap().1));
        pass(50);
        store.push(&key, b"1", TTL, soon()).unwrap();
        store.push(&key, b"2", TTL, soon()).unwrap();
        let mut values = waiting.map(|thread| thread.join().unwrap());
        values.sort();
        assert_eq!(values, [b"1", b"2"]);
    });
}

/// Not before, and gone soon after; less than a second counts as one.
pub fn a_list_ends_after_its_ttl(make: Make<'_>) {
    let (store, lost, kept) = (make(), key(), key());
    for key in [&lost, &kept] {
        store.push(key, b"v", Duration::from_millis(1), soon()).unwrap();
    }
    pass(300);
    assert_eq!(store.pop(&[&kept], soon()).unwrap(), found(&kept, "v"));
    pass(1300);
    assert_eq!(store.pop(&[&lost], within(30)).unwrap(), None);
}

/// The whole list lives as long as its last push says.
pub fn a_push_renews_the_ttl(make: Make<'_>) {
    let (store, key) = (make(), key());
    store.push(&key, b"1", Duration::from_secs(1), soon()).unwrap();
    store.push(&key, b"2", TTL, soon()).unwrap();
    pass(1500);
    assert_eq!(store.pop(&[&key], soon()).unwrap(), found(&key, "1"));
    assert_eq!(store.pop(&[&key], soon()).unwrap(), found(&key, "2"));
}

/// Each gets what was pushed for it.
pub fn fifty_threads_do_not_mix_up_their_values(make: Make<'_>) {
    let store = make();
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                let own = key();
                for round in 0..20 {
                    let value = format!("{own} {round}");
                    store.push(&own, value.as_bytes(), TTL, soon()).unwrap();
                    assert_eq!(store.pop(&[&own], soon()).unwrap(), found(&own, value));
                }
            });
        }
    });
}

/// More waiting calls than a pool has connections: pushes pass, and each is woken.
pub fn those_who_wait_do_not_keep_others_from_pushing(make: Make<'_>) {
    let store = make();
    let keys: Vec<String> = (0..40).map(|_| key()).collect();
    thread::scope(|scope| {
        let waiting: Vec<_> = keys.iter().map(|key| scope.spawn(|| store.pop(&[key], soon()).unwrap())).collect();
        pass(100);
        for key in keys.iter().rev() {
            store.push(key, key.as_bytes(), TTL, soon()).unwrap();
        }
        for (key, thread) in keys.iter().zip(waiting) {
            assert_eq!(thread.join().unwrap(), found(key, key.as_bytes()));
        }
    });
}
