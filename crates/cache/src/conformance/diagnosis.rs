//! Health and inspection.

use std::thread;
use std::time::Instant;

use zc_events_protocol::{Clock, SystemClock};

use super::fixture::{MakeStore, PLENTY, TTL, found, key, soon};

/// `health` counts the calls that wait, and says that the store is reachable.
pub fn health_counts_waiting_calls(make: MakeStore<'_>) {
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

/// `inspect` describes the server. Its time is near ours, since both run on this machine.
pub fn inspection_has_the_time(make: MakeStore<'_>) {
    let store = make();
    let before = SystemClock.wall();
    let found = store.inspect(soon()).unwrap();
    let time = found.time.unwrap();
    assert!(found.server.is_some() && found.is_replica == Some(false), "{found:?}");
    assert!(found.max_memory.is_some() && found.eviction.is_some() && found.evicted.is_some(), "{found:?}");
    let apart = time.duration_since(before).unwrap_or_else(|error| error.duration());
    assert!(apart < PLENTY, "{apart:?} apart");
}
