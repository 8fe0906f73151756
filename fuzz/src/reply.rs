//! Answers in the reply store. Input: flags, then bytes.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use zc_events_protocol::{CallReply, DecodeError, Limits, Reply};

/// The first byte's lowest bit: deflate the rest first, since a fuzzer makes no streams that inflate.
const DEFLATE: u8 = 1;
/// The second lowest: with limits that a few bytes reach.
const SMALL_LIMITS: u8 = 2;

/// Decodes an answer to a request and an answer to a call. Decompression stops at the limits; a decoder without limits
/// checks that. An answer that decodes is encoded again, and must decode to the same.
pub fn run(data: &[u8]) {
    let Some((how, bytes)) = data.split_first() else { return };
    let limits = if how & SMALL_LIMITS != 0 {
        Limits { body: 1024, inflated: 2000, ratio: 200, depth: 8 }
    } else {
        Limits::default()
    };
    let stored = if how & DEFLATE != 0 { deflated(bytes) } else { bytes.to_vec() };
    request(&stored, &limits);
    call(bytes, &limits);
}

fn request(stored: &[u8], limits: &Limits) {
    let bound = limits.inflated.min(limits.ratio.saturating_mul(stored.len()).max(Limits::RATIO_FLOOR));
    let whole = inflated(stored, bound);
    match Reply::decode(stored, limits) {
        Ok(reply) => {
            assert!(stored.len() <= limits.body && whole.is_some_and(|size| size <= bound), "beyond the limits");
            let _ = (reply.is_error(), format!("{reply:?}"));
            let document = reply.document();
            if let Ok(stored) = reply.encode() {
                match Reply::decode(&stored, &Limits::default()) {
                    Ok(again) => {
                        assert_eq!(again.status, reply.status);
                        assert!(again.document() == document, "the document changed");
                    }
                    // Repetitive text compresses better than the limit of the ratio allows.
                    Err(DecodeError::TooLarge { .. }) => {}
                    Err(error) => panic!("what was read and written again is refused: {error}"),
                }
            }
        }
        Err(DecodeError::TooLarge { what, .. }) => {
            assert!(
                if what == "reply" { stored.len() > limits.body } else { whole.is_none_or(|size| size > bound) },
                "refused as too large: {what}"
            );
        }
        Err(error) => {
            assert!(whole.is_none_or(|size| size <= bound), "inflated beyond the limit, then refused: {error}");
            said(&error);
        }
    }
}

fn call(stored: &[u8], limits: &Limits) {
    match CallReply::decode(stored, limits) {
        Ok(reply) => {
            assert!(stored.len() <= limits.body);
            let _ = (reply.is_error(), reply.errors(), format!("{reply:?}"));
            if let Ok(stored) = reply.encode() {
                let again = CallReply::decode(&stored, &Limits::default());
                assert!(again.as_ref() == Ok(&reply), "the answer changed: {:?}", again.err());
            }
        }
        Err(error) => said(&error),
    }
}

fn said(error: &DecodeError) {
    let shown = error.to_string();
    assert!(shown.chars().count() < 250 && !shown.chars().any(char::is_control), "{shown:?}");
}

/// The size of a zlib stream after decompression, counted to just above `bound`; `None` if it cannot be decompressed.
fn inflated(stored: &[u8], bound: usize) -> Option<usize> {
    let mut reader = ZlibDecoder::new(stored);
    let (mut size, mut step) = (0, vec![0; 32 * 1024]);
    loop {
        match reader.read(&mut step) {
            Ok(0) => return Some(size),
            Ok(count) => size += count,
            Err(_) => return (size > bound).then_some(size),
        }
        if size > bound {
            return Some(size);
        }
    }
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// The inputs for this answer: as it is, and, if it can be decompressed, its text.
pub(crate) fn seeds(stored: &[u8]) -> Vec<Vec<u8>> {
    let with = |how: u8, bytes: &[u8]| [&[how], bytes].concat();
    let mut text = Vec::new();
    let inflates = ZlibDecoder::new(stored).read_to_end(&mut text).is_ok();
    let mut seeds = vec![with(0, stored)];
    if inflates {
        seeds.extend([with(DEFLATE, &text), with(DEFLATE | SMALL_LIMITS, &text)]);
    }
    seeds
}
