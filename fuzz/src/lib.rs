//! What is fuzzed: a module for each target, whose `run` takes bytes and panics where a promise is broken, and on
//! nothing else. `input` reads the bytes, `seeds` makes some from the project's vectors. libFuzzer lives in
//! `fuzz_targets`, not here.
#![forbid(unsafe_code)]

pub mod document;
pub mod envelope;
pub mod guard;
mod input;
pub mod reply;
pub mod seeds;
pub mod url;

/// A target's `run`.
pub type Target = fn(&[u8]);

/// Every target by its name, as `Cargo.toml` has it.
pub const TARGETS: [(&str, Target); 5] = [
    ("guard", guard::run),
    ("envelope", envelope::run),
    ("reply", reply::run),
    ("url", url::run),
    ("document", document::run),
];
