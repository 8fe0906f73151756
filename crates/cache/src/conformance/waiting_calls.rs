//! Calls that wait for values.

use std::thread;
use std::time::Instant;

use super::fixture::{MakeStore, PLENTY, TTL, assert_empty, found, key, pass, soon, within};

/// A pop ends at its deadline, not before it, whether the wait is short or long.
pub fn a_pop_without_a_value_ends_on_time(make: MakeStore<'_>) {
    let store = make();
    for millis in [3, 40, 300, 1001, 1700] {
        let deadline = within(millis);
        let result = store.pop(&[&key(), &key()], deadline);
        let late = Instant::now().checked_duration_since(deadline.instant());
        // A server that is late itself causes a timeout.
        assert!(result.as_ref().map_or_else(crate::Error::is_timeout, Option::is_none), "{result:?}");
        let late = late.unwrap_or_else(|| panic!("a pop of {millis} ms ended before its deadline"));
        assert!(late < PLENTY, "a pop of {millis} ms ended {late:?} late");
    }
    assert_empty(&*store, &[&key(), &key()]);
}

/// A pop whose deadline has passed looks once, without waiting. A slow server may answer too late for it.
pub fn a_passed_deadline_still_takes_a_present_value(make: MakeStore<'_>) {
    let store = make();
    let start = Instant::now();
    loop {
        let key = key();
        store.push(&key, b"v", TTL, soon()).unwrap();
        match store.pop(&[&key], within(0)) {
            Err(error) => assert!(error.is_timeout() && start.elapsed() < PLENTY, "{error}"),
            value => {
                assert_eq!(value.unwrap(), found(&key, "v"));
                break;
            }
        }
    }
    let nothing = store.pop(&[&key()], within(0));
    assert!(nothing.as_ref().map_or_else(crate::Error::is_timeout, Option::is_none), "{nothing:?}");
}

/// A push ends the wait of a pop.
pub fn a_waiting_pop_is_woken(make: MakeStore<'_>) {
    let (store, key) = (make(), key());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| store.pop(&[&key], soon()).unwrap());
        // Long enough that the pop waits, most of the time; it must succeed either way.
        pass(150);
        store.push(&key, b"v", TTL, soon()).unwrap();
        assert_eq!(waiting.join().unwrap(), found(&key, "v"));
    });
}

/// A pop that waits for several keys ends with the first value, and returns its key.
pub fn a_waiting_pop_finds_any_of_its_keys(make: MakeStore<'_>) {
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

/// Each value is taken once.
pub fn a_popped_key_is_waited_for_again(make: MakeStore<'_>) {
    let (store, key) = (make(), key());
    store.push(&key, b"1", TTL, soon()).unwrap();
    assert_eq!(store.pop(&[&key], soon()).unwrap(), found(&key, "1"));
    assert_empty(&*store, &[&key]);
    store.push(&key, b"2", TTL, soon()).unwrap();
    assert_eq!(store.pop(&[&key], soon()).unwrap(), found(&key, "2"));
}

/// Two calls that wait for one key get different values.
pub fn two_waiters_get_a_value_each(make: MakeStore<'_>) {
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

/// Each call gets the value that was pushed for it.
pub fn fifty_threads_do_not_mix_up_their_values(make: MakeStore<'_>) {
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

/// More calls wait than a pool has connections: pushes succeed, and each call gets its value.
pub fn waiting_calls_do_not_block_pushes(make: MakeStore<'_>) {
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
