//! Lists: order, bytes, ttl, and values that are taken without waiting.

use std::time::{Duration, Instant};

use super::fixture::{MakeStore, PLENTY, TTL, assert_empty, found, key, pass, soon, within};
use crate::{Claim, Error};

/// `ping` succeeds.
pub fn ping_answers(make: MakeStore<'_>) {
    make().ping(soon()).unwrap();
}

/// Values under one key come first in, first out.
pub fn values_come_in_the_order_of_pushing(make: MakeStore<'_>) {
    let (store, key) = (make(), key());
    for number in 0..20_u8 {
        store.push(&key, &[number], TTL, soon()).unwrap();
    }
    for number in 0..20_u8 {
        assert_eq!(store.pop(&[&key], soon()).unwrap(), found(&key, [number]));
    }
}

/// A value is any bytes, or none; a key is any text.
pub fn values_and_keys_are_kept_to_the_byte(make: MakeStore<'_>) {
    let store = make();
    let every: Vec<u8> = (0..=255).collect();
    for value in [&every[..], b"", b"\r\n", b"$-1\r\n", b"\0"] {
        for key in [key(), format!("{} \r\n\0 \u{1f980} *1", key())] {
            store.push(&key, value, TTL, soon()).unwrap();
            assert_eq!(store.pop(&[&key], soon()).unwrap(), found(&key, value));
        }
    }
}

/// A large value arrives whole.
pub fn a_value_of_5_mib_passes(make: MakeStore<'_>) {
    let (store, key) = (make(), key());
    let value: Vec<u8> = (0..5 * 1024 * 1024_u32).map(|n| (n % 251) as u8).collect();
    store.push(&key, &value, TTL, soon()).unwrap();
    assert!(store.pop(&[&key], soon()).unwrap() == found(&key, value));
}

/// The order of the keys decides, and not the order of the pushes.
pub fn the_first_key_with_a_value_wins(make: MakeStore<'_>) {
    let (store, a, b, c) = (make(), key(), key(), key());
    store.push(&c, b"c", TTL, soon()).unwrap();
    store.push(&b, b"b", TTL, soon()).unwrap();
    let keys = [a.as_str(), &b, &c];
    assert_eq!(store.pop(&keys, soon()).unwrap(), found(&b, "b"));
    assert_eq!(store.pop(&keys, soon()).unwrap(), found(&c, "c"));
    assert_empty(&*store, &keys);
}

/// `take` returns the oldest value of each key, in the order of the keys, without waiting. A key of the wrong type fails
/// alone.
pub fn present_values_are_taken_at_once(make: MakeStore<'_>) {
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
    assert_eq!(store.pop(&keys[..1], soon()).unwrap(), found(keys[0], keys[0]));
    assert!(store.take(&[], soon()).unwrap().is_empty());
}

/// `take` looks once when its deadline has passed. A slow server may answer too late for it.
pub fn a_passed_deadline_still_takes_values(make: MakeStore<'_>) {
    let store = make();
    let first_taken = || {
        let key = key();
        store.push(&key, b"v", TTL, soon()).unwrap();
        match store.take(&[&key], within(0)) {
            Ok(taken) => taken.into_iter().next().expect("the value is there").1.ok(),
            Err(error) => {
                assert!(error.is_timeout(), "{error}");
                None
            }
        }
    };
    let start = Instant::now();
    let mut tries = std::iter::repeat_with(first_taken).take_while(|_| start.elapsed() < PLENTY);
    assert_eq!(tries.find_map(|value| value), Some(b"v".to_vec()));
}

/// A pop without keys fails at once.
pub fn a_pop_without_keys_is_an_error(make: MakeStore<'_>) {
    assert!(matches!(make().pop(&[], soon()), Err(Error::Config { .. })));
}

/// A list expires after its ttl, and not before. A ttl of less than a second counts as a second.
pub fn a_list_ends_after_its_ttl(make: MakeStore<'_>) {
    let (store, lost) = (make(), key());
    store.push(&lost, b"v", Duration::from_millis(1), soon()).unwrap();
    loop {
        let (kept, pushed) = (key(), Instant::now());
        store.push(&kept, b"v", Duration::from_millis(1), soon()).unwrap();
        pass(300);
        let taken = store.take(&[&kept], soon()).unwrap();
        // On a busy machine the second may be over.
        if pushed.elapsed() < Duration::from_secs(1) {
            assert_eq!(taken.len(), 1, "the list has expired early");
            break;
        }
    }
    pass(1300);
    assert_empty(&*store, &[&lost]);
}

/// The last push sets the ttl of the whole list.
pub fn a_push_renews_the_ttl(make: MakeStore<'_>) {
    let (store, key) = (make(), key());
    store.push(&key, b"1", Duration::from_secs(1), soon()).unwrap();
    store.push(&key, b"2", TTL, soon()).unwrap();
    pass(1500);
    assert_eq!(store.pop(&[&key], soon()).unwrap(), found(&key, "1"));
    assert_eq!(store.pop(&[&key], soon()).unwrap(), found(&key, "2"));
}

/// A call whose deadline has passed has no effect.
pub fn a_passed_deadline_pushes_nothing(make: MakeStore<'_>) {
    let (store, key) = (make(), key());
    store.ping(soon()).unwrap();
    assert!(store.push(&key, b"v", TTL, within(0)).unwrap_err().is_timeout());
    assert!(store.ping(within(0)).unwrap_err().is_timeout());
    assert_empty(&*store, &[&key]);
}

/// Calls for the other type fail, and change nothing.
pub fn a_key_holds_a_list_or_a_record(make: MakeStore<'_>) {
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
