//! Idempotency records: claims, leases and completed work.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::fixture::{MakeStore, PLENTY, TTL, key, pass, soon, within};
use crate::Claim;

/// A lease is exclusive until it is completed or released. Its owner may claim again.
pub fn a_claim_is_granted_to_one_owner_at_a_time(make: MakeStore<'_>) {
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

/// A lease ends, counted in milliseconds, and the next owner gets it.
pub fn a_lease_ends_and_the_next_gets_it(make: MakeStore<'_>) {
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

/// `renew` and another claim by the owner extend a lease.
pub fn a_renewed_lease_lasts_longer(make: MakeStore<'_>) {
    const LEASE: Duration = Duration::from_millis(1500);
    let store = make();
    loop {
        let (renewed, again, left, start) = (key(), key(), key(), Instant::now());
        for key in [&renewed, &again, &left] {
            assert_eq!(store.claim(key, "a", LEASE, soon()).unwrap(), Claim::Granted);
        }
        let is_renewed = store.renew(&renewed, "a", TTL, soon()).unwrap();
        assert_eq!(store.claim(&again, "a", TTL, soon()).unwrap(), Claim::Granted);
        if start.elapsed() >= LEASE {
            // On a busy machine the lease may have ended before.
            continue;
        }
        assert!(is_renewed);
        pass(1600);
        for key in [&renewed, &again] {
            assert!(matches!(store.claim(key, "b", TTL, soon()).unwrap(), Claim::Held { .. }));
        }
        assert!(!store.renew(&left, "a", TTL, soon()).unwrap());
        assert!(!store.renew(&key(), "a", TTL, soon()).unwrap());
        return;
    }
}

/// Each claim, also the owner's, gets the record. Completing again changes nothing, and no other owner can complete.
pub fn every_claim_learns_of_completed_work(make: MakeStore<'_>) {
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

/// A completion counts after the lease has ended, unless another owner has claimed the work.
pub fn a_late_completion_counts_unless_another_owner_has_the_lease(make: MakeStore<'_>) {
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

/// Releasing a lease of another owner, or none, is no error.
pub fn a_released_lease_is_free_and_other_leases_stay(make: MakeStore<'_>) {
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

/// The work can be claimed again when the record's ttl has passed, however long the lease was.
pub fn a_record_ends_after_its_ttl(make: MakeStore<'_>) {
    let (store, short, long) = (make(), key(), key());
    assert_eq!(store.claim(&short, "a", TTL, soon()).unwrap(), Claim::Granted);
    assert_eq!(store.claim(&long, "a", Duration::from_millis(100), soon()).unwrap(), Claim::Granted);
    assert!(store.complete(&short, "a", b"v", Duration::from_millis(100), soon()).unwrap());
    assert!(store.complete(&long, "a", b"v", TTL, soon()).unwrap());
    pass(200);
    assert_eq!(store.claim(&short, "b", TTL, soon()).unwrap(), Claim::Granted);
    assert_eq!(store.claim(&long, "b", TTL, soon()).unwrap(), Claim::Completed(b"v".to_vec()));
}

/// A record is any bytes, also none and many; key and owner are any text.
pub fn records_are_kept_to_the_byte(make: MakeStore<'_>) {
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

/// One of many claims at the same time is granted.
pub fn one_of_fifty_simultaneous_claims_is_granted(make: MakeStore<'_>) {
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

/// A call whose deadline has passed has no effect.
pub fn a_passed_deadline_claims_and_records_nothing(make: MakeStore<'_>) {
    let (store, free, held) = (make(), key(), key());
    assert!(store.claim(&free, "a", TTL, within(0)).unwrap_err().is_timeout());
    assert!(store.complete(&free, "a", b"v", TTL, within(0)).unwrap_err().is_timeout());
    assert_eq!(store.claim(&held, "a", TTL, soon()).unwrap(), Claim::Granted);
    assert!(store.release(&held, "a", within(0)).unwrap_err().is_timeout());
    assert!(store.renew(&held, "a", Duration::from_millis(1), within(0)).unwrap_err().is_timeout());
    assert_eq!(store.claim(&free, "b", TTL, soon()).unwrap(), Claim::Granted);
    assert!(matches!(store.claim(&held, "b", TTL, soon()).unwrap(), Claim::Held { .. }));
}
