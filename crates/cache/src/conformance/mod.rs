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

use crate::{Claim, Error, ReplyStore};

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
    ("what_is_there_is_taken_at_once", what_is_there_is_taken_at_once),
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
    ("a_claim_is_granted_to_one_owner_at_a_time", a_claim_is_granted_to_one_owner_at_a_time),
    ("a_lease_ends_and_the_next_gets_it", a_lease_ends_and_the_next_gets_it),
    ("a_renewed_lease_lasts_longer", a_renewed_lease_lasts_longer),
    ("what_was_completed_is_told_to_every_claim", what_was_completed_is_told_to_every_claim),
    ("a_late_completion_counts_unless_somebody_took_over", a_late_completion_counts_unless_somebody_took_over),
    ("a_released_lease_is_free_and_others_are_left_alone", a_released_lease_is_free_and_others_are_left_alone),
    ("a_record_ends_after_its_ttl", a_record_ends_after_its_ttl),
    ("records_are_kept_to_the_byte", records_are_kept_to_the_byte),
    ("of_fifty_who_claim_at_once_one_is_granted", of_fifty_who_claim_at_once_one_is_granted),
    ("a_passed_deadline_claims_and_records_nothing", a_passed_deadline_claims_and_records_nothing),
    ("a_key_holds_a_list_or_a_record", a_key_holds_a_list_or_a_record),
    ("health_counts_who_waits", health_counts_who_waits),
    ("inspecting_tells_the_time", inspecting_tells_the_time),
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

/// The oldest of each key, in the order of the keys; nobody is waited for, and one wrong key is no obstacle.
pub fn what_is_there_is_taken_at_once(make: Make<'_>) {
    let store = make();
    let keys: Vec<String> = (0..600).map(|_| key()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    assert!(store.take(&keys, soon()).unwrap().is_empty());
    for key in [keys[599], keys[300], keys[0], keys[0]] {
        store.push(key, key.as_bytes(), TTL, soon()).unwrap();
    }
    store.claim(keys[1], "owner", TTL, soon()).unwrap();
    let mut taken = store.take(&keys, soon()).unwrap();
    let (wrong, refused) = taken.remove(1);
    assert!(wrong == keys[1] && matches!(refused, Err(Error::Rejected { .. })), "{refused:?}");
    let taken: Vec<_> = taken.into_iter().map(|(key, value)| (key.clone(), value.unwrap() == key.as_bytes())).collect();
    assert_eq!(taken, [keys[0], keys[300], keys[599]].map(|key| (key.to_owned(), true)));
    // Late, but it is there.
    let again = store.take(&keys[..1], within(0)).unwrap();
    assert!(matches!(&again[..], [(key, Ok(_))] if key == keys[0]), "{again:?}");
    assert!(store.take(&keys[..1], within(0)).unwrap().is_empty() && store.take(&[], soon()).unwrap().is_empty());
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

/// Until it is completed or released; the owner himself may claim again.
pub fn a_claim_is_granted_to_one_owner_at_a_time(make: Make<'_>) {
    let (store, key) = (make(), key());
    assert_eq!(store.claim(&key, "a", TTL, soon()).unwrap(), Claim::Granted);
    assert_eq!(store.claim(&key, "a", TTL, soon()).unwrap(), Claim::Granted);
    match store.claim(&key, "b", TTL, soon()).unwrap() {
        Claim::Held { for_at_most } => assert!(for_at_most <= TTL && for_at_most > TTL / 2, "{for_at_most:?}"),
        other => panic!("{other:?}"),
    }
    assert!(!store.renew(&key, "b", TTL, soon()).unwrap());
    assert!(!store.complete(&key, "b", b"b", TTL, soon()).unwrap());
    assert_eq!(store.claim(&key, "a", TTL, soon()).unwrap(), Claim::Granted);
    // An owner is a whole name, not the beginning of one.
    assert!(matches!(store.claim(&key, "", TTL, soon()).unwrap(), Claim::Held { .. }));
    assert!(matches!(store.claim(&key, "aa", TTL, soon()).unwrap(), Claim::Held { .. }));
}

/// Leases are counted in milliseconds.
pub fn a_lease_ends_and_the_next_gets_it(make: Make<'_>) {
    let (store, key) = (make(), key());
    let lease = Duration::from_millis(200);
    let start = Instant::now();
    assert_eq!(store.claim(&key, "a", lease, soon()).unwrap(), Claim::Granted);
    loop {
        match store.claim(&key, "b", TTL, soon()).unwrap() {
            Claim::Granted => break,
            Claim::Held { for_at_most } => {
                assert!(!for_at_most.is_zero() && for_at_most <= lease, "{for_at_most:?}");
                pass(u64::try_from(for_at_most.as_millis()).unwrap());
            }
            other => panic!("{other:?}"),
        }
        assert!(start.elapsed() < PLENTY);
    }
    // A server may count from the beginning of a millisecond.
    assert!(start.elapsed() >= lease - Duration::from_millis(2), "{:?}", start.elapsed());
    assert!(!store.renew(&key, "a", TTL, soon()).unwrap());
    assert!(store.renew(&key, "b", TTL, soon()).unwrap());
}

/// By `renew`, and by claiming again.
pub fn a_renewed_lease_lasts_longer(make: Make<'_>) {
    let (store, renewed, again, left) = (make(), key(), key(), key());
    for key in [&renewed, &again, &left] {
        assert_eq!(store.claim(key, "a", Duration::from_millis(1500), soon()).unwrap(), Claim::Granted);
    }
    assert!(store.renew(&renewed, "a", TTL, soon()).unwrap());
    assert_eq!(store.claim(&again, "a", TTL, soon()).unwrap(), Claim::Granted);
    pass(1600);
    for key in [&renewed, &again] {
        assert!(matches!(store.claim(key, "b", TTL, soon()).unwrap(), Claim::Held { .. }));
    }
    assert!(!store.renew(&left, "a", TTL, soon()).unwrap());
    assert!(!store.renew(&key(), "a", TTL, soon()).unwrap());
}

/// To the owner too. Completing again is no second record, and nobody else's counts.
pub fn what_was_completed_is_told_to_every_claim(make: Make<'_>) {
    let (store, key) = (make(), key());
    assert_eq!(store.claim(&key, "a", TTL, soon()).unwrap(), Claim::Granted);
    for _ in 0..2 {
        assert!(store.complete(&key, "a", b"done", TTL, soon()).unwrap());
    }
    assert!(!store.complete(&key, "b", b"other", TTL, soon()).unwrap());
    assert!(!store.renew(&key, "a", TTL, soon()).unwrap());
    for owner in ["a", "b"] {
        store.release(&key, owner, soon()).unwrap();
        assert_eq!(store.claim(&key, owner, TTL, soon()).unwrap(), Claim::Completed(b"done".to_vec()));
    }
}

/// The work was done, and nobody else is at it.
pub fn a_late_completion_counts_unless_somebody_took_over(make: Make<'_>) {
    let (store, late, taken) = (make(), key(), key());
    for key in [&late, &taken] {
        assert_eq!(store.claim(key, "a", Duration::from_millis(1), soon()).unwrap(), Claim::Granted);
    }
    pass(50);
    assert_eq!(store.claim(&taken, "b", TTL, soon()).unwrap(), Claim::Granted);
    assert!(store.complete(&late, "a", b"a", TTL, soon()).unwrap());
    assert!(!store.complete(&taken, "a", b"a", TTL, soon()).unwrap());
    assert!(store.complete(&taken, "b", b"b", TTL, soon()).unwrap());
    assert_eq!(store.claim(&late, "c", TTL, soon()).unwrap(), Claim::Completed(b"a".to_vec()));
    assert_eq!(store.claim(&taken, "c", TTL, soon()).unwrap(), Claim::Completed(b"b".to_vec()));
}

/// Releasing what one does not hold is no error.
pub fn a_released_lease_is_free_and_others_are_left_alone(make: Make<'_>) {
    let (store, key) = (make(), key());
    store.release(&key, "a", soon()).unwrap();
    assert_eq!(store.claim(&key, "a", TTL, soon()).unwrap(), Claim::Granted);
    store.release(&key, "b", soon()).unwrap();
    assert!(matches!(store.claim(&key, "b", TTL, soon()).unwrap(), Claim::Held { .. }));
    for _ in 0..2 {
        store.release(&key, "a", soon()).unwrap();
    }
    assert_eq!(store.claim(&key, "b", TTL, soon()).unwrap(), Claim::Granted);
}

/// And the work can be claimed again. The ttl is the record's, however long the lease was.
pub fn a_record_ends_after_its_ttl(make: Make<'_>) {
    let (store, short, long) = (make(), key(), key());
    assert_eq!(store.claim(&short, "a", TTL, soon()).unwrap(), Claim::Granted);
    assert_eq!(store.claim(&long, "a", Duration::from_millis(100), soon()).unwrap(), Claim::Granted);
    assert!(store.complete(&short, "a", b"v", Duration::from_millis(100), soon()).unwrap());
    assert!(store.complete(&long, "a", b"v", TTL, soon()).unwrap());
    pass(200);
    assert_eq!(store.claim(&short, "b", TTL, soon()).unwrap(), Claim::Granted);
    assert_eq!(store.claim(&long, "b", TTL, soon()).unwrap(), Claim::Completed(b"v".to_vec()));
}

/// Any bytes, none too, and many; any text as a key and as an owner.
pub fn records_are_kept_to_the_byte(make: Make<'_>) {
    let store = make();
    let large: Vec<u8> = (0..1024 * 1024_u32).map(|n| (n % 251) as u8).collect();
    for record in [&large[..], b"", b"\r\n\0", b"lease:a", b"done:1:a"] {
        for owner in ["", "12:", "\r\n \0 \u{1f980}"] {
            let key = format!("{} \r\n\0 \u{1f980}", key());
            assert_eq!(store.claim(&key, owner, TTL, soon()).unwrap(), Claim::Granted);
            assert!(store.renew(&key, owner, TTL, soon()).unwrap());
            assert!(store.complete(&key, owner, record, TTL, soon()).unwrap());
            assert!(store.complete(&key, owner, record, TTL, soon()).unwrap());
            assert!(store.claim(&key, "x", TTL, soon()).unwrap() == Claim::Completed(record.to_vec()));
        }
    }
}

/// Whoever claims, in whatever order.
pub fn of_fifty_who_claim_at_once_one_is_granted(make: Make<'_>) {
    let store = make();
    for _ in 0..5 {
        let key = key();
        let granted = AtomicU64::new(0);
        thread::scope(|scope| {
            for owner in 0..50 {
                let (store, key, granted) = (&store, &key, &granted);
                scope.spawn(move || match store.claim(key, &owner.to_string(), TTL, soon()).unwrap() {
                    Claim::Granted => _ = granted.fetch_add(1, Ordering::SeqCst),
                    claim => assert!(matches!(claim, Claim::Held { .. }), "{claim:?}"),
                });
            }
        });
        assert_eq!(granted.into_inner(), 1);
    }
}

/// A call that is too late has no effect.
pub fn a_passed_deadline_claims_and_records_nothing(make: Make<'_>) {
    let (store, free, held) = (make(), key(), key());
    assert!(store.claim(&free, "a", TTL, within(0)).unwrap_err().is_timeout());
    assert!(store.complete(&free, "a", b"v", TTL, within(0)).unwrap_err().is_timeout());
    assert_eq!(store.claim(&held, "a", TTL, soon()).unwrap(), Claim::Granted);
    assert!(store.release(&held, "a", within(0)).unwrap_err().is_timeout());
    assert!(store.renew(&held, "a", Duration::from_millis(1), within(0)).unwrap_err().is_timeout());
    assert_eq!(store.claim(&free, "b", TTL, soon()).unwrap(), Claim::Granted);
    assert!(matches!(store.claim(&held, "b", TTL, soon()).unwrap(), Claim::Held { .. }));
}

/// Mixing them up is told, and harms nothing.
pub fn a_key_holds_a_list_or_a_record(make: Make<'_>) {
    let (store, list, record) = (make(), key(), key());
    store.push(&list, b"v", TTL, soon()).unwrap();
    assert_eq!(store.claim(&record, "a", TTL, soon()).unwrap(), Claim::Granted);
    let refused = |result: Option<Error>| assert!(matches!(result, Some(Error::Rejected { .. })), "{result:?}");
    refused(store.claim(&list, "a", TTL, soon()).err());
    refused(store.renew(&list, "a", TTL, soon()).err());
    refused(store.complete(&list, "a", b"v", TTL, soon()).err());
    refused(store.release(&list, "a", soon()).err());
    refused(store.push(&record, b"v", TTL, soon()).err());
    refused(store.pop(&[&record], soon()).err());
    assert_eq!(store.pop(&[&list], soon()).unwrap(), found(&list, "v"));
    assert!(store.renew(&record, "a", TTL, soon()).unwrap());
}

/// And says that the store answers.
pub fn health_counts_who_waits(make: Make<'_>) {
    let (store, key) = (make(), key());
    store.ping(soon()).unwrap();
    assert_eq!(store.health().reachable, Some(true));
    let before = store.health().waiting;
    thread::scope(|scope| {
        let waiting = scope.spawn(|| store.pop(&[&key], soon()).unwrap());
        let start = Instant::now();
        while store.health().waiting == before {
            assert!(start.elapsed() < PLENTY);
            thread::yield_now();
        }
        store.push(&key, b"v", TTL, soon()).unwrap();
        assert_eq!(waiting.join().unwrap(), found(&key, "v"));
    });
}

/// What a server tells of itself; its time is near ours, since both run on this machine.
pub fn inspecting_tells_the_time(make: Make<'_>) {
    let store = make();
    let before = SystemClock.wall();
    let found = store.inspect(soon()).unwrap();
    let time = found.time.unwrap();
    assert!(found.server.is_some() && found.is_replica == Some(false), "{found:?}");
    assert!(found.max_memory.is_some() && found.eviction.is_some() && found.evicted.is_some(), "{found:?}");
    let apart = time.duration_since(before).unwrap_or_else(|error| error.duration());
    assert!(apart < PLENTY, "{apart:?} apart");
}
