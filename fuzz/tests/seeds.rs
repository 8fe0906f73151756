//! Every seed passes its target without libFuzzer, and every target has seeds.

use std::collections::BTreeMap;

use zc_events_fuzz::{TARGETS, seeds};

#[test]
fn every_seed_passes_its_target() {
    let targets = BTreeMap::from(TARGETS);
    let mut passed = BTreeMap::new();
    for (target, bytes) in seeds::all().unwrap() {
        targets[target](&bytes);
        *passed.entry(target).or_insert(0) += 1;
    }
    for (target, least) in [("guard", 800), ("envelope", 330), ("reply", 130), ("url", 140), ("document", 40)] {
        assert!(passed.get(target).is_some_and(|count| *count >= least), "{target}: {passed:?}");
    }
    assert_eq!(passed.len(), TARGETS.len());
}

#[test]
fn every_target_survives_next_to_nothing() {
    for (_, target) in TARGETS {
        target(b"");
        for byte in 0..=255 {
            target(&[byte]);
            target(&[byte, byte, byte, byte]);
        }
    }
}
