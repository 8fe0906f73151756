//! The behaviour of every [`BlobStore`], as tests that run against each implementation. For tests only: it panics when
//! a store does not conform. The keys are new in each run, so several runs may share a bucket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use uuid::Uuid;
use zc_events_protocol::{Clock, Deadline, Stage, SystemClock};

use crate::{BlobStore, Error};

/// Creates a store with this limit in bytes. All stores that it creates share their blobs.
pub type Make<'a> = &'a dyn Fn(usize) -> Arc<dyn BlobStore>;

/// One behaviour; panics if the store does not have it.
pub type Case = fn(Make<'_>);

/// All behaviours, with their names.
pub const CASES: &[(&str, Case)] = &[
    ("every_byte_is_kept", every_byte_is_kept),
    ("a_second_put_replaces_the_blob", a_second_put_replaces_the_blob),
    ("a_missing_blob_is_none", a_missing_blob_is_none),
    ("unusual_keys_are_distinct", unusual_keys_are_distinct),
    ("an_invalid_key_is_refused", an_invalid_key_is_refused),
    ("a_large_blob_is_stored", a_large_blob_is_stored),
    ("a_blob_over_the_limit_is_refused", a_blob_over_the_limit_is_refused),
    ("a_deleted_blob_is_gone", a_deleted_blob_is_gone),
    ("a_taken_blob_is_gone", a_taken_blob_is_gone),
    ("new_keys_are_unique", new_keys_are_unique),
    ("a_file_is_stored", a_file_is_stored),
    ("a_passed_deadline_does_nothing", a_passed_deadline_does_nothing),
    ("a_reader_never_gets_a_partial_blob", a_reader_never_gets_a_partial_blob),
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

const LIMIT: usize = 16 << 20;
const TEXT: &str = "text/plain";

fn soon() -> Deadline {
    SystemClock.deadline(Duration::from_secs(60))
}

/// A folder name that no other run uses.
fn unique() -> String {
    format!("zc-conformance-{}", Uuid::new_v4())
}

/// Any bytes, and no bytes.
pub fn every_byte_is_kept(make: Make<'_>) {
    let (store, folder) = (make(LIMIT), unique());
    let every: Vec<u8> = (0..=255).collect();
    for (index, blob) in [&every[..], b"", b"\r\n", b"\0", "caf\u{e9}".as_bytes()].into_iter().enumerate() {
        let key = format!("{folder}/{index}");
        store.put(&key, "application/octet-stream", blob, soon()).unwrap();
        assert_eq!(store.get(&key, soon()).unwrap().as_deref(), Some(blob));
        assert_eq!(store.get(&key, soon()).unwrap().as_deref(), Some(blob), "`get` must not delete the blob");
    }
}

/// Also if the second is shorter.
pub fn a_second_put_replaces_the_blob(make: Make<'_>) {
    let (store, key) = (make(LIMIT), unique());
    for blob in [&b"long enough"[..], b"short", b"", b"and long again"] {
        store.put(&key, TEXT, blob, soon()).unwrap();
        assert_eq!(make(LIMIT).get(&key, soon()).unwrap().as_deref(), Some(blob));
    }
}

/// Both in a missing folder and beside other blobs.
pub fn a_missing_blob_is_none(make: Make<'_>) {
    let (store, folder) = (make(LIMIT), unique());
    assert_eq!(store.get(&folder, soon()).unwrap(), None);
    assert_eq!(store.get(&format!("{folder}/a/b"), soon()).unwrap(), None);
    store.put(&format!("{folder}/a/b"), TEXT, b"v", soon()).unwrap();
    assert_eq!(store.get(&format!("{folder}/a/c"), soon()).unwrap(), None);
}

/// Characters with a meaning in URLs, shells or file systems have none in a key.
pub fn unusual_keys_are_distinct(make: Make<'_>) {
    let (store, folder) = (make(LIMIT), unique());
    let keys: Vec<String> = [
        "A",
        "a",
        "%41",
        "%2541",
        "a b",
        "a+b",
        "a%20b",
        "100%",
        "q?x=1&y=2",
        "q",
        "f#g",
        "f",
        "a;b",
        "a=b",
        "a@b:c",
        "a,b",
        "it's",
        "say \"hi\"",
        "<b>",
        "[c]",
        "{d}",
        "a|b",
        "a^b",
        "a`b",
        "a*b",
        "$HOME",
        "!",
        "(2)",
        "~",
        "~root",
        "..a",
        "a..",
        "...",
        ".hidden",
        "-rf",
        "caf\u{e9}",
        "cafe\u{301}",
        "\u{65e5}\u{672c}/\u{1f355}.txt",
        "attachment_a (2).pdf",
        "x.",
        "xY/z",
    ]
    .map(|name| format!("{folder}/{name}"))
    .into();
    for key in &keys {
        store.put(key, TEXT, key.as_bytes(), soon()).unwrap_or_else(|error| panic!("{key}: {error}"));
    }
    for key in &keys {
        let found = store.get(key, soon()).unwrap_or_else(|error| panic!("{key}: {error}"));
        assert_eq!(found.as_deref(), Some(key.as_bytes()), "{key}");
    }
    for key in &keys {
        store.delete(key, soon()).unwrap_or_else(|error| panic!("{key}: {error}"));
        assert_eq!(store.get(key, soon()).unwrap(), None, "{key}");
    }
}

/// No key leads out of the store.
pub fn an_invalid_key_is_refused(make: Make<'_>) {
    let (store, folder) = (make(LIMIT), unique());
    let long = "x".repeat(256);
    for name in [
        "", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a/..", "a\nb", "a\r\nb", "a\0b", "\u{7f}", &long,
    ] {
        for key in [name.to_owned(), format!("{folder}/{name}")] {
            let refused = [
                store.put(&key, TEXT, b"v", soon()),
                store.get(&key, soon()).map(drop),
                store.delete(&key, soon()),
                store.take(&key, soon()).map(drop),
            ];
            for refused in refused {
                assert!(matches!(refused, Err(Error::Rejected { .. })), "{key:?}: {refused:?}");
            }
        }
    }
    let many = "x/".repeat(512) + "x";
    assert!(matches!(store.put(&many, TEXT, b"v", soon()), Err(Error::Rejected { .. })));
}

/// 8 MiB.
pub fn a_large_blob_is_stored(make: Make<'_>) {
    let (store, key) = (make(LIMIT), unique());
    let blob: Vec<u8> = (0..8 * 1024 * 1024_u32).map(|n| (n % 251) as u8).collect();
    store.put(&key, TEXT, &blob, soon()).unwrap();
    assert!(store.get(&key, soon()).unwrap().as_ref() == Some(&blob));
    store.delete(&key, soon()).unwrap();
}

/// A blob of exactly the limit is accepted. A larger blob from a store with a higher limit is not returned.
pub fn a_blob_over_the_limit_is_refused(make: Make<'_>) {
    let (store, ample, key) = (make(1000), make(LIMIT), unique());
    assert_eq!(store.max_bytes(), 1000);
    store.put(&key, TEXT, &[7; 1000], soon()).unwrap();
    assert_eq!(store.get(&key, soon()).unwrap().map(|blob| blob.len()), Some(1000));
    let too_large = |error: Error| matches!(error, Error::TooLarge { size: 1001, limit: 1000, .. });
    assert!(too_large(store.put(&key, TEXT, &[8; 1001], soon()).unwrap_err()));
    assert_eq!(store.get(&key, soon()).unwrap().unwrap()[0], 7, "a refused blob was stored");
    ample.put(&key, TEXT, &[9; 1001], soon()).unwrap();
    assert!(too_large(store.get(&key, soon()).unwrap_err()));
    assert!(too_large(store.take(&key, soon()).unwrap_err()));
    assert_eq!(ample.get(&key, soon()).unwrap().map(|blob| blob.len()), Some(1001), "a refused blob was deleted");
}

/// Deleting twice is not an error, and other blobs stay.
pub fn a_deleted_blob_is_gone(make: Make<'_>) {
    let (store, folder) = (make(LIMIT), unique());
    let (key, neighbour) = (format!("{folder}/a"), format!("{folder}/b"));
    store.delete(&key, soon()).unwrap();
    for key in [&key, &neighbour] {
        store.put(key, TEXT, b"v", soon()).unwrap();
    }
    for _ in 0..2 {
        store.delete(&key, soon()).unwrap();
        assert_eq!(store.get(&key, soon()).unwrap(), None);
    }
    assert_eq!(store.get(&neighbour, soon()).unwrap().as_deref(), Some(&b"v"[..]));
    store.put(&key, TEXT, b"w", soon()).unwrap();
    assert_eq!(store.get(&key, soon()).unwrap().as_deref(), Some(&b"w"[..]));
}

/// A second `take` finds no blob.
pub fn a_taken_blob_is_gone(make: Make<'_>) {
    let (store, key) = (make(LIMIT), unique());
    assert_eq!(store.take(&key, soon()).unwrap(), None);
    store.put(&key, TEXT, b"v", soon()).unwrap();
    assert_eq!(store.take(&key, soon()).unwrap().as_deref(), Some(&b"v"[..]));
    assert_eq!(store.take(&key, soon()).unwrap(), None);
}

/// Each blob gets a key of its own.
pub fn new_keys_are_unique(make: Make<'_>) {
    let store = make(LIMIT);
    let keys: HashSet<String> = (0..5_u8).map(|number| store.put_new(TEXT, &[number], soon()).unwrap()).collect();
    assert_eq!(keys.len(), 5);
    for key in &keys {
        assert!(Uuid::parse_str(key).is_ok(), "{key}");
        assert!(store.take(key, soon()).unwrap().is_some());
    }
}

/// A missing or too large file is refused.
pub fn a_file_is_stored(make: Make<'_>) {
    let (store, key) = (make(1000), unique());
    let path = std::env::temp_dir().join(unique());
    let missing = store.put_file(&key, TEXT, &path, soon()).unwrap_err();
    assert!(matches!(missing, Error::UnreadableFile { .. }), "{missing:?}");
    std::fs::write(&path, [5; 1000]).unwrap();
    store.put_file(&key, TEXT, &path, soon()).unwrap();
    std::fs::write(&path, [6; 1001]).unwrap();
    let large = store.put_file(&key, TEXT, &path, soon()).unwrap_err();
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(large, Error::TooLarge { .. }), "{large:?}");
    assert_eq!(store.get(&key, soon()).unwrap(), Some(vec![5; 1000]));
}

/// Nothing is stored or deleted.
pub fn a_passed_deadline_does_nothing(make: Make<'_>) {
    let (store, key) = (make(LIMIT), unique());
    let past = || SystemClock.deadline(Duration::ZERO);
    let late = |error: Error| matches!(error, Error::Timeout { stage: Stage::BlobStore });
    assert!(late(store.put(&key, TEXT, b"v", past()).unwrap_err()));
    assert_eq!(store.get(&key, soon()).unwrap(), None);
    store.put(&key, TEXT, b"v", soon()).unwrap();
    assert!(late(store.get(&key, past()).unwrap_err()));
    assert!(late(store.delete(&key, past()).unwrap_err()));
    assert!(late(store.take(&key, past()).unwrap_err()));
    assert!(store.get(&key, soon()).unwrap().is_some());
}

/// While a blob is replaced, readers get the old one or the new one.
pub fn a_reader_never_gets_a_partial_blob(make: Make<'_>) {
    let (store, key) = (make(LIMIT), unique());
    let blobs = [vec![1_u8; 300_000], vec![2_u8; 200_000]];
    store.put(&key, TEXT, &blobs[0], soon()).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let reader = make(LIMIT);
                let (key, blobs, done) = (&key, &blobs, &done);
                scope.spawn(move || {
                    let mut reads = 0;
                    while reads == 0 || !done.load(Ordering::Acquire) {
                        let found = reader.get(key, soon()).unwrap().expect("the blob was missing for a moment");
                        assert!(blobs.contains(&found), "{} bytes, from {}", found.len(), found[0]);
                        reads += 1;
                    }
                })
            })
            .collect();
        let written = (0..20).try_for_each(|round| store.put(&key, TEXT, &blobs[(round + 1) % 2], soon()));
        done.store(true, Ordering::Release);
        written.unwrap();
        for reader in readers {
            reader.join().unwrap();
        }
    });
}
