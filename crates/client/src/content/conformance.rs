//! What every [`ContentStore`] does, as tests: run against each, so that they do not drift apart. For tests only; it
//! panics when a store does not conform. Keys are new in each run, so a bucket may be shared.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use uuid::Uuid;
use zc_events_protocol::{Clock, Deadline, Stage, SystemClock};

use super::ContentStore;
use crate::{Error, Outcome};

/// Makes a store that takes and hands out no more bytes than that; all that it makes share their contents.
pub type Make<'a> = &'a dyn Fn(usize) -> Arc<dyn ContentStore>;

/// One behaviour; panics where it is missing.
pub type Case = fn(Make<'_>);

/// Every behaviour under its name.
pub const CASES: &[(&str, Case)] = &[
    ("contents_are_kept_to_the_byte", contents_are_kept_to_the_byte),
    ("a_second_content_takes_the_place_of_the_first", a_second_content_takes_the_place_of_the_first),
    ("nothing_is_none_and_not_an_error", nothing_is_none_and_not_an_error),
    ("odd_keys_are_kept_apart", odd_keys_are_kept_apart),
    ("what_is_no_key_is_refused", what_is_no_key_is_refused),
    ("a_large_content_passes", a_large_content_passes),
    ("what_is_too_large_is_refused_both_ways", what_is_too_large_is_refused_both_ways),
    ("what_was_deleted_is_gone", what_was_deleted_is_gone),
    ("what_was_taken_is_gone", what_was_taken_is_gone),
    ("fresh_keys_are_fresh", fresh_keys_are_fresh),
    ("a_file_is_stored", a_file_is_stored),
    ("a_passed_deadline_does_nothing", a_passed_deadline_does_nothing),
    ("nobody_reads_half_of_it", nobody_reads_half_of_it),
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

/// A folder that no other run has.
fn unique() -> String {
    format!("zc-conformance-{}", Uuid::new_v4())
}

/// Any bytes, and none.
pub fn contents_are_kept_to_the_byte(make: Make<'_>) {
    let (store, folder) = (make(LIMIT), unique());
    let every: Vec<u8> = (0..=255).collect();
    for (index, content) in [&every[..], b"", b"\r\n", b"\0", "caf\u{e9}".as_bytes()].into_iter().enumerate() {
        let key = format!("{folder}/{index}");
        store.put(&key, "application/octet-stream", content, soon()).unwrap();
        assert_eq!(store.get(&key, soon()).unwrap().as_deref(), Some(content));
        assert_eq!(store.get(&key, soon()).unwrap().as_deref(), Some(content), "getting takes nothing away");
    }
}

/// The last one counts, also where it is shorter.
pub fn a_second_content_takes_the_place_of_the_first(make: Make<'_>) {
    let (store, key) = (make(LIMIT), unique());
    for content in [&b"long enough"[..], b"short", b"", b"and long again"] {
        store.put(&key, TEXT, content, soon()).unwrap();
        assert_eq!(make(LIMIT).get(&key, soon()).unwrap().as_deref(), Some(content));
    }
}

/// Neither under a key of which there is no folder, nor beside others.
pub fn nothing_is_none_and_not_an_error(make: Make<'_>) {
    let (store, folder) = (make(LIMIT), unique());
    assert_eq!(store.get(&folder, soon()).unwrap(), None);
    assert_eq!(store.get(&format!("{folder}/a/b"), soon()).unwrap(), None);
    store.put(&format!("{folder}/a/b"), TEXT, b"v", soon()).unwrap();
    assert_eq!(store.get(&format!("{folder}/a/c"), soon()).unwrap(), None);
}

/// What means something in a URL, in a shell or in a file system means nothing in a key.
pub fn odd_keys_are_kept_apart(make: Make<'_>) {
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

/// Nothing leads out of the store, and nothing is stored where it could not be found again.
pub fn what_is_no_key_is_refused(make: Make<'_>) {
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

/// 8 MiB arrive whole.
pub fn a_large_content_passes(make: Make<'_>) {
    let (store, key) = (make(LIMIT), unique());
    let content: Vec<u8> = (0..8 * 1024 * 1024_u32).map(|n| (n % 251) as u8).collect();
    store.put(&key, TEXT, &content, soon()).unwrap();
    assert!(store.get(&key, soon()).unwrap().as_ref() == Some(&content));
    store.delete(&key, soon()).unwrap();
}

/// The limit itself fits, and what a more generous store has stored is not handed out.
pub fn what_is_too_large_is_refused_both_ways(make: Make<'_>) {
    let (store, ample, key) = (make(1000), make(LIMIT), unique());
    assert_eq!(store.max_bytes(), 1000);
    store.put(&key, TEXT, &[7; 1000], soon()).unwrap();
    assert_eq!(store.get(&key, soon()).unwrap().map(|content| content.len()), Some(1000));
    let too_large = |error: Error| matches!(error, Error::TooLarge { size: 1001, limit: 1000, .. });
    assert!(too_large(store.put(&key, TEXT, &[8; 1001], soon()).unwrap_err()));
    assert_eq!(store.get(&key, soon()).unwrap().unwrap()[0], 7, "what was refused was stored");
    ample.put(&key, TEXT, &[9; 1001], soon()).unwrap();
    assert!(too_large(store.get(&key, soon()).unwrap_err()));
    assert!(too_large(store.take(&key, soon()).unwrap_err()));
    assert_eq!(ample.get(&key, soon()).unwrap().map(|content| content.len()), Some(1001), "it was taken all the same");
}

/// Deleting again is as good, and its neighbours stay.
pub fn what_was_deleted_is_gone(make: Make<'_>) {
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

/// Taken once, and nothing is there to be taken again.
pub fn what_was_taken_is_gone(make: Make<'_>) {
    let (store, key) = (make(LIMIT), unique());
    assert_eq!(store.take(&key, soon()).unwrap(), None);
    store.put(&key, TEXT, b"v", soon()).unwrap();
    assert_eq!(store.take(&key, soon()).unwrap().as_deref(), Some(&b"v"[..]));
    assert_eq!(store.take(&key, soon()).unwrap(), None);
}

/// As many keys as contents.
pub fn fresh_keys_are_fresh(make: Make<'_>) {
    let store = make(LIMIT);
    let keys: HashSet<String> = (0..5_u8).map(|number| store.put_new(TEXT, &[number], soon()).unwrap()).collect();
    assert_eq!(keys.len(), 5);
    for key in &keys {
        assert!(Uuid::parse_str(key).is_ok(), "{key}");
        assert!(store.take(key, soon()).unwrap().is_some());
    }
}

/// Its bytes, and nothing where it is missing or too large.
pub fn a_file_is_stored(make: Make<'_>) {
    let (store, key) = (make(1000), unique());
    let path = std::env::temp_dir().join(unique());
    let missing = store.put_file(&key, TEXT, &path, soon()).unwrap_err();
    assert!(matches!(missing, Error::Encode { .. }) && missing.outcome() == Outcome::NotSent, "{missing:?}");
    std::fs::write(&path, [5; 1000]).unwrap();
    store.put_file(&key, TEXT, &path, soon()).unwrap();
    std::fs::write(&path, [6; 1001]).unwrap();
    let large = store.put_file(&key, TEXT, &path, soon()).unwrap_err();
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(large, Error::TooLarge { .. }), "{large:?}");
    assert_eq!(store.get(&key, soon()).unwrap(), Some(vec![5; 1000]));
}

/// Nothing is begun when no time is left.
pub fn a_passed_deadline_does_nothing(make: Make<'_>) {
    let (store, key) = (make(LIMIT), unique());
    let past = || SystemClock.deadline(Duration::ZERO);
    let late =
        |error: Error| matches!(error, Error::Timeout { stage: Stage::Content }) && error.outcome() == Outcome::NotSent;
    assert!(late(store.put(&key, TEXT, b"v", past()).unwrap_err()));
    assert_eq!(store.get(&key, soon()).unwrap(), None);
    store.put(&key, TEXT, b"v", soon()).unwrap();
    assert!(late(store.get(&key, past()).unwrap_err()));
    assert!(late(store.delete(&key, past()).unwrap_err()));
    assert!(late(store.take(&key, past()).unwrap_err()));
    assert!(store.get(&key, soon()).unwrap().is_some());
}

/// While one content takes the place of another, readers get the one or the other.
pub fn nobody_reads_half_of_it(make: Make<'_>) {
    let (store, key) = (make(LIMIT), unique());
    let contents = [vec![1_u8; 300_000], vec![2_u8; 200_000]];
    store.put(&key, TEXT, &contents[0], soon()).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let reader = make(LIMIT);
                let (key, contents, done) = (&key, &contents, &done);
                scope.spawn(move || {
                    let mut reads = 0;
                    while reads == 0 || !done.load(Ordering::Acquire) {
                        let found = reader.get(key, soon()).unwrap().expect("it was gone for a moment");
                        assert!(contents.contains(&found), "{} bytes, from {}", found.len(), found[0]);
                        reads += 1;
                    }
                })
            })
            .collect();
        let written = (0..20).try_for_each(|round| store.put(&key, TEXT, &contents[(round + 1) % 2], soon()));
        done.store(true, Ordering::Release);
        written.unwrap();
        for reader in readers {
            reader.join().unwrap();
        }
    });
}
