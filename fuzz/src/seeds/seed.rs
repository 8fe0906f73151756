//! A seed, and the bytes that a vector holds.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;

/// The name of a target, and an input.
pub type Seed = (&'static str, Vec<u8>);

/// The bytes of a text in base64; None where it is none.
pub(super) fn bytes(text: &Value) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text.as_str()?).ok()
}
