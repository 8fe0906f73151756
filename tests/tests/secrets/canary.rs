//! Secrets that the tests recognise, whole or in pieces, in all forms in which they might be printed.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use integration_tests::unique;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::log_lines;

/// A unique secret. Characters with a meaning in URLs separate its pieces, because a part of a secret is a secret, too.
pub(crate) struct Canary {
    pieces: Vec<String>,
    /// The number of log lines before this secret was made.
    pub(crate) since: usize,
}

impl Canary {
    pub(crate) fn new() -> Self {
        let piece = |_| format!("kNr{}Y", &unique("x")[2..14]);
        Self { pieces: (0..3).map(piece).collect(), since: log_lines::count() }
    }

    /// The secret as it is.
    pub(crate) fn plain(&self) -> String {
        format!("{}@{}/{}", self.pieces[0], self.pieces[1], self.pieces[2])
    }

    /// The secret, percent-encoded for a URL.
    pub(crate) fn encoded(&self) -> String {
        utf8_percent_encode(&self.plain(), NON_ALPHANUMERIC).to_string()
    }

    /// One piece, which means the same wherever it is written.
    pub(crate) fn piece(&self) -> &str {
        &self.pieces[0]
    }

    /// Which form of it is in `text`, if any.
    pub(crate) fn form_in(&self, text: &str) -> Option<String> {
        let decoded = percent_decode_str(text).decode_utf8_lossy();
        let lower = decoded.to_lowercase();
        for piece in &self.pieces {
            if lower.contains(&piece.to_lowercase()) {
                return Some(format!("{piece}, as it is"));
            }
            let hex: String = piece.bytes().map(|byte| format!("{byte:02x}")).collect();
            let list = piece.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
            if lower.contains(&hex) || text.contains(&list) {
                return Some(format!("{piece}, as its bytes"));
            }
            if base64_forms(piece).iter().any(|form| text.contains(form)) {
                return Some(format!("{piece}, in base64"));
            }
        }
        None
    }
}

/// What does not depend on its neighbours of a text's base64, wherever it stands in what was encoded.
fn base64_forms(text: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let bytes = [&vec![0; before][..], text.as_bytes()].concat();
        let (from, to) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        for encoded in [BASE64_STANDARD_NO_PAD.encode(&bytes), BASE64_URL_SAFE_NO_PAD.encode(&bytes)] {
            forms.push(encoded[from..to].to_owned());
        }
    }
    forms
}

#[test]
fn every_form_is_recognised() {
    let canary = Canary::new();
    let piece = canary.pieces[2].clone();
    let login = format!("\0user\0{}", canary.plain());
    for said in [
        canary.plain(),
        canary.encoded(),
        piece.to_uppercase(),
        format!("{:?}", piece.as_bytes()),
        piece.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        piece.bytes().map(|byte| format!("{byte:02X}")).collect(),
        base64::prelude::BASE64_STANDARD.encode(&login),
        BASE64_URL_SAFE_NO_PAD.encode(&login[1..]),
        BASE64_URL_SAFE_NO_PAD.encode(&login[2..]),
    ] {
        assert!(canary.form_in(&format!("before {said} behind")).is_some(), "{said}");
    }
    assert_eq!(canary.form_in(&Canary::new().plain()), None);
}
