//! Parsing of JSON. Only this file names `simd_json`.

use serde_json::Value;
use simd_json::Buffers;

use super::syntax;
use crate::DecodeError;

/// Parses one JSON value. Of duplicate keys the last wins, as in Python. simd-json rewrites its input, so it gets a
/// copy of `bytes`.
pub(crate) fn parse(bytes: &[u8], depth: usize) -> Result<Value, DecodeError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(DecodeError::Empty);
    }
    let mut copy = bytes.to_vec();
    let mut buffers = Buffers::with_max_depth(copy.len(), depth);
    // The errors of simd-json are vague. `syntax` finds the reason in the original bytes.
    simd_json::serde::from_slice_with_buffers(&mut copy, &mut buffers).map_err(|_| syntax::first_error(bytes, depth))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn reason(text: &[u8]) -> DecodeError {
        parse(text, 128).expect_err(&String::from_utf8_lossy(text))
    }

    #[test]
    fn the_last_of_duplicate_keys_wins() {
        assert_eq!(parse(br#"{"a":1,"b":0,"a":2}"#, 128), Ok(json!({"a": 2, "b": 0})));
    }

    #[test]
    fn the_input_is_not_changed() {
        let text = br#"{"a":"caf\u00e9 \/"}"#.to_vec();
        let before = text.clone();
        parse(&text, 128).unwrap();
        assert_eq!(text, before);
    }

    #[test]
    fn every_refusal_has_a_reason_of_its_own() {
        use DecodeError::*;
        assert_eq!(reason(b""), Empty);
        assert_eq!(reason(b" \n"), Empty);
        assert_eq!(reason(b"\xef\xbb\xbf{}"), ByteOrderMark);
        assert_eq!(reason(b"[\"a\xff\"]"), InvalidUtf8 { at: 3 });
        assert_eq!(reason(b"[NaN]"), NotANumber { at: 1 });
        assert_eq!(reason(b"[1, Infinity]"), NotANumber { at: 4 });
        assert_eq!(reason(b"{\"a\":-Infinity}"), NotANumber { at: 5 });
        assert_eq!(reason(b"[18446744073709551616]"), IntegerOutOfRange { at: 1 });
        assert_eq!(reason(b"[-9223372036854775809]"), IntegerOutOfRange { at: 1 });
        assert_eq!(reason(b"[1e400]"), FloatOutOfRange { at: 1 });
        assert_eq!(reason(b"[-1e400]"), FloatOutOfRange { at: 1 });
        assert_eq!(reason(br#"["\ud83c"]"#), LoneSurrogate { at: 2 });
        assert_eq!(reason(br#"["\udf55"]"#), LoneSurrogate { at: 2 });
        assert_eq!(reason(br#"["\ud83c\u0041"]"#), LoneSurrogate { at: 2 });
        assert_eq!(reason(br#"{"a":,"b":1}"#), Malformed { at: 5 });
        assert_eq!(reason(b"hello"), Malformed { at: 0 });
        assert_eq!(reason(b"[\"e\""), Malformed { at: 4 });
        assert_eq!(reason(b"[\"e"), Malformed { at: 3 });
        assert_eq!(reason(b"[1] 2"), Malformed { at: 4 });
        assert_eq!(reason(b"[01]"), Malformed { at: 2 });
        assert_eq!(reason(b"[\"\n\"]"), Malformed { at: 2 });
        assert_eq!(reason(b"[1}"), Malformed { at: 2 });
        assert_eq!(reason(b"[tru]"), Malformed { at: 1 });
    }

    #[test]
    fn numbers_are_exact_at_their_bounds() {
        assert_eq!(
            parse(b"[18446744073709551615,-9223372036854775808,5e-324,-0.0]", 128),
            Ok(json!([u64::MAX, i64::MIN, 5e-324, -0.0]))
        );
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        let nested = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
        assert!(parse(&nested(128), 128).is_ok());
        assert_eq!(parse(&nested(129), 128), Err(DecodeError::TooDeep { limit: 128 }));
        assert_eq!(parse(&nested(100_000), 128), Err(DecodeError::TooDeep { limit: 128 }));
        assert_eq!(parse(&[b'['; 100_000], 128), Err(DecodeError::TooDeep { limit: 128 }));
        assert_eq!(parse(&b"{\"a\":".repeat(100_000), 128), Err(DecodeError::TooDeep { limit: 128 }));
    }

    fn json_like() -> impl Strategy<Value = String> {
        let token = prop::sample::select(vec![
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            "1",
            "-1",
            "0",
            "01",
            "1.5",
            "1e5",
            "1.",
            "-",
            "1e400",
            "99999999999999999999",
            "true",
            "null",
            "false",
            "nul",
            "NaN",
            "-Infinity",
            "\"a\"",
            "\"",
            "\"\\u0041\"",
            "\"\\ud83c\"",
            "\"\\ud83c\\udf55\"",
            "\"\\x\"",
            " ",
            "\n",
            "\"é\"",
            "\u{1}",
            "\"\t\"",
        ]);
        prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_parser_and_the_syntax_check_agree(text in json_like()) {
            let read = parse(text.as_bytes(), 16);
            match syntax::check(text.as_bytes(), 16) {
                Ok(()) => prop_assert!(read.is_ok(), "{text:?}: {read:?}"),
                Err(reason) if text.trim().is_empty() => prop_assert_eq!((read, reason), (Err(DecodeError::Empty), DecodeError::Empty)),
                Err(reason) => prop_assert_eq!(read, Err(reason), "{:?}", text),
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse(&bytes, 8);
            let _ = syntax::check(&bytes, 8);
        }
    }
}
