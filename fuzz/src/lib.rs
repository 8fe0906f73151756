//! The fuzz targets, one module each. Their `run` takes bytes, and panics only if a promise is broken. `input` reads
//! the bytes, and `seeds` makes inputs from the project's vectors. Only `fuzz_targets` uses libFuzzer.
#![forbid(unsafe_code)]

pub mod document;
pub mod envelope;
pub mod guard;
mod input;
pub mod reply;
pub mod seeds;
pub mod url;

/// The `run` of a target.
pub type Target = fn(&[u8]);

/// Every target, by its name in `Cargo.toml`.
pub const TARGETS: [(&str, Target); 5] = [
    ("guard", guard::run),
    ("envelope", envelope::run),
    ("reply", reply::run),
    ("url", url::run),
    ("document", document::run),
];
