//! Generated input: arbitrary bytes, arbitrary splits, and tables that are compared with amiquip's own parser.

use amq_protocol::types::generation::gen_field_table;
use amq_protocol::types::parsing::{parse_field_table, parse_long_uint, parse_short_string, parse_value};
use amq_protocol::types::{AMQPValue, DecimalValue, FieldTable};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::super::harness;
use super::super::table;
use super::*;

fn value() -> impl Strategy<Value = AMQPValue> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(AMQPValue::Boolean),
        any::<i8>().prop_map(AMQPValue::ShortShortInt),
        any::<u8>().prop_map(AMQPValue::ShortShortUInt),
        any::<i16>().prop_map(AMQPValue::ShortInt),
        any::<u16>().prop_map(AMQPValue::ShortUInt),
        any::<i32>().prop_map(AMQPValue::LongInt),
        any::<u32>().prop_map(AMQPValue::LongUInt),
        any::<i64>().prop_map(AMQPValue::LongLongInt),
        (-1e9f32..1e9).prop_map(AMQPValue::Float),
        (-1e9f64..1e9).prop_map(AMQPValue::Double),
        (any::<u8>(), any::<u32>()).prop_map(|(scale, value)| AMQPValue::DecimalValue(DecimalValue { scale, value })),
        ".{0,12}".prop_map(AMQPValue::LongString),
        any::<u64>().prop_map(AMQPValue::Timestamp),
        vec(any::<u8>(), 0..12).prop_map(AMQPValue::ByteArray),
        Just(AMQPValue::Void),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(AMQPValue::FieldArray),
            btree_map(".{0,6}", inner, 0..4).prop_map(AMQPValue::FieldTable),
        ]
    })
}

/// A table as it is encoded, without its length.
fn content() -> impl Strategy<Value = (FieldTable, Vec<u8>)> {
    btree_map(".{0,6}", value(), 0..6).prop_map(|table| {
        let mut out = vec![0; 64 * 1024];
        let end = gen_field_table((&mut out, 0), &table).unwrap().1;
        (table, out[4..end].to_vec())
    })
}

/// Whether amiquip's parser, value by value, reads all of a table or list. As a whole, it would omit values that it
/// cannot read.
fn is_read_whole(mut bytes: &[u8], named: bool) -> bool {
    while !bytes.is_empty() {
        if named {
            let Ok((rest, _)) = parse_short_string(bytes) else {
                return false;
            };
            bytes = rest;
        }
        let rest = match bytes.first() {
            Some(letter @ (b'F' | b'A')) => {
                let Ok((rest, length)) = parse_long_uint(&bytes[1..]) else {
                    return false;
                };
                let Some((inner, rest)) = rest.split_at_checked(length as usize) else {
                    return false;
                };
                if !is_read_whole(inner, *letter == b'F') {
                    return false;
                }
                rest
            }
            _ => match parse_value(bytes) {
                Ok((rest, _)) => rest,
                Err(_) => return false,
            },
        };
        bytes = rest;
    }
    true
}

fn splits() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0), 1..9u8, any::<u8>()], 0..12)
}

/// Frames that a broker may send, some with properties that cannot be read.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let bytes = || vec(any::<u8>(), 0..20);
    let one = prop_oneof![
        Just(frame(8, 0, b"")),
        (1..4u16, any::<u64>(), bytes(), bytes()).prop_map(|(channel, tag, x, key)| deliver(channel, tag, &x, &key)),
        (1..4u16, 0..99u64, content()).prop_map(|(channel, size, (_, table))| header(channel, size, &headers(&table))),
        (1..4u16, 0..99u64, bytes()).prop_map(|(channel, size, bytes)| header(channel, size, &bytes)),
        (1..4u16, vec(any::<u8>(), 0..3000)).prop_map(|(channel, bytes)| body(channel, &bytes)),
        any::<[u8; 9]>().prop_map(|arguments| method(1, 60, 80, &[&arguments])),
    ];
    vec(one, 0..12).prop_map(|frames| frames.concat())
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_slicing_changes_nothing(bytes in vec(any::<u8>(), 0..300), splits in splits()) {
        let whole = harness::run(&bytes, &[]);
        harness::assert_frames(&whole.released);
        prop_assert_eq!(whole, harness::run(&bytes, &splits));
    }

    #[test]
    fn frames_come_through_however_they_are_sliced(bytes in frames(), splits in splits()) {
        let whole = harness::run(&bytes, &[]);
        prop_assert_eq!(&whole.refusal, &None);
        let count = harness::assert_frames(&whole.released).len();
        prop_assert_eq!(&whole, &harness::run(&bytes, &splits));
        // The output is well-formed, so it passes again unchanged.
        let again = harness::run(&whole.released, &splits);
        prop_assert_eq!(harness::assert_frames(&again.released).len(), count);
        prop_assert_eq!(again.released, whole.released);
    }

    #[test]
    fn broken_frames_never_panic(
        bytes in frames(), at in any::<prop::sample::Index>(), with in any::<u8>(), splits in splits(),
    ) {
        let mut bytes = bytes;
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = with;
        }
        let whole = harness::run(&bytes, &[]);
        harness::assert_frames(&whole.released);
        prop_assert_eq!(whole, harness::run(&bytes, &splits));
    }

    #[test]
    fn valid_headers_pass_unchanged((table, bytes) in content()) {
        let sent = header(1, 5, &headers(&bytes));
        prop_assert_eq!(harness::run(&sent, &[]).released, sent);
        prop_assert_eq!(parse_field_table(&long(&bytes)).unwrap().1, table);
    }

    #[test]
    fn the_verdict_on_headers_is_that_of_the_parser(
        (_, bytes) in content(), at in any::<prop::sample::Index>(), with in any::<u8>(),
    ) {
        let mut bytes = bytes;
        prop_assert!(table::check(&bytes).is_ok() && is_read_whole(&bytes, true));
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = with;
        }
        prop_assert_eq!(table::check(&bytes).is_ok(), is_read_whole(&bytes, true), "{:?}", bytes);
    }

    #[test]
    fn the_verdict_on_any_bytes_is_that_of_the_parser(bytes in vec(any::<u8>(), 0..40)) {
        prop_assert_eq!(table::check(&bytes).is_ok(), is_read_whole(&bytes, true), "{:?}", bytes);
    }
}
