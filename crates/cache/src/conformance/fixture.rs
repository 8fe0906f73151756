//! Keys, deadlines and pauses of the cases.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use zc_events_protocol::clock::pause;
use zc_events_protocol::{Clock, Deadline, SystemClock};

use crate::ReplyStore;

/// Makes a store that is ready for use. All stores of one function may share their contents.
pub type MakeStore<'a> = &'a dyn Fn() -> Arc<dyn ReplyStore>;

pub(super) const TTL: Duration = Duration::from_secs(60);
/// Longer than any step takes, on a busy machine.
pub(super) const PLENTY: Duration = Duration::from_secs(20);

pub(super) fn soon() -> Deadline {
    SystemClock.deadline(PLENTY)
}

pub(super) fn within(millis: u64) -> Deadline {
    SystemClock.deadline(Duration::from_millis(millis))
}

/// A key that no other run has.
pub(super) fn key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemClock.wall().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("zc-conformance-{}-{nanos}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Lets this much time pass.
pub(super) fn pass(millis: u64) {
    let (_never, interrupt) = crossbeam_channel::bounded(0);
    assert!(pause(&SystemClock, within(millis), &interrupt));
}

pub(super) fn found(key: &str, value: impl Into<Vec<u8>>) -> Option<(String, Vec<u8>)> {
    Some((key.to_owned(), value.into()))
}

/// There is no value under any of `keys`. Asks again while the store is too slow to say so in time.
#[track_caller]
pub(super) fn assert_empty(store: &dyn ReplyStore, keys: &[&str]) {
    let start = Instant::now();
    loop {
        match store.pop(keys, within(100)) {
            Err(error) => assert!(error.is_timeout() && start.elapsed() < PLENTY, "{error}"),
            value => return assert_eq!(value.unwrap(), None),
        }
    }
}
