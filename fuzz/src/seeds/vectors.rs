//! The vectors of the project, from their files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;

/// The name of a target, and an input.
pub type Seed = (&'static str, Vec<u8>);

/// All vectors with their names, in the order of the names.
pub(super) fn vectors() -> io::Result<Vec<(String, Value)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/protocol/tests/vectors");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let vector = serde_json::from_slice(&fs::read(&path)?)?;
            Ok((path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), vector))
        })
        .collect()
}

/// The bytes of a base64 string.
pub(super) fn decode_base64(text: &Value) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text.as_str()?).ok()
}
