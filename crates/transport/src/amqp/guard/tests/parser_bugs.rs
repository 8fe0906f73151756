//! One test for each way in which inbound bytes can crash, starve or mislead amiquip.

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame};

use super::super::defect_header::GuardReport;
use super::super::harness::{self, NONCE, assert_frames};
use super::super::header::MAX_BODY;
use super::super::table::MAX_DEPTH;
use super::super::{FRAME_MAX, filter};
use super::*;

/// The bytes that pass, which must not depend on how the input is split.
fn through(bytes: &[u8]) -> harness::Outcome {
    let whole = harness::run(bytes, &[]);
    for splits in [&[1][..], &[0, 7, 1], &[3, 0, 250]] {
        assert_eq!(whole, harness::run(bytes, splits), "with splits {splits:?}");
    }
    assert_frames(&whole.released);
    whole
}

fn refusal(bytes: &[u8]) -> String {
    through(bytes).refusal.expect("it must not be let through")
}

fn passes(bytes: &[u8]) {
    let outcome = through(bytes);
    assert_eq!((outcome.released.as_slice(), outcome.refusal), (bytes, None));
}

/// The header that replaces one with these properties, and the defect that the consumer gets.
fn delivered(properties: &[u8]) -> (AMQPContentHeader, Option<&'static str>) {
    let message = [deliver(1, 1, b"", b"key"), header(1, 4, properties), body(1, b"body")].concat();
    // Whatever happens to the header, the next message is complete.
    let outcome = through(&[&message[..], &message[..]].concat());
    assert_eq!(outcome.refusal, None);
    let mut frames = assert_frames(&outcome.released);
    assert_eq!(frames.len(), 6);
    assert_eq!(frames[5], AMQPFrame::Body(1, b"body".to_vec()));
    assert_eq!(frames[1], frames[4]);
    let AMQPFrame::Header(1, 60, header) = frames.swap_remove(1) else {
        panic!("no header");
    };
    assert_eq!(header.body_size, 4);
    let guard_report = GuardReport::with_nonce(NONCE.to_owned());
    let defect = header.properties.headers().as_ref().and_then(|headers| guard_report.defect(headers));
    (*header, defect)
}

#[test]
fn headers_nested_without_limit_become_a_delivery_that_says_so() {
    assert_eq!(delivered(&headers(&nested(4000))).1, Some("headers_too_deep"));
    assert_eq!(delivered(&headers(&nested(MAX_DEPTH + 1))).1, Some("headers_too_deep"));
    let (header, defect) = delivered(&headers(&nested(MAX_DEPTH)));
    assert_eq!(defect, None);
    assert!(header.properties.headers().as_ref().unwrap().contains_key("n"));
    // Lists can be nested, too.
    let list = (0..MAX_DEPTH).fold(Vec::new(), |content, _| [&b"A"[..], &long(&content)].concat());
    let list = [&short(b"list")[..], &list].concat();
    assert_eq!(delivered(&headers(&list)).1, Some("headers_too_deep"));
}

#[test]
fn headers_behind_one_that_cannot_be_read_are_not_lost_silently() {
    let good = entry(b"task", b'S', &long(b"t"));
    for (bad, defect) in [
        (entry(b"b", b'S', &long(b"\xff")), "headers_not_utf8"),
        (entry(b"\xff", b'V', b""), "headers_not_utf8"),
        (entry(b"b", b'?', b""), "headers_unknown_type"),
        (entry(b"b", b'S', &[0, 0, 1, 0]), "headers_malformed"),
        (entry(b"b", b'F', &[0, 0, 1, 0]), "headers_malformed"),
        (entry(b"b", b'l', &[0]), "headers_malformed"),
        (vec![200], "headers_malformed"),
        (entry(b"b", b'F', &long(&entry(b"in", b'S', &long(b"\xff")))), "headers_not_utf8"),
        (entry(b"b", b'A', &long(b"t")), "headers_malformed"),
    ] {
        let found = delivered(&headers(&[&bad[..], &good].concat()));
        let behind = delivered(&headers(&[&good[..], &bad].concat()));
        assert_eq!(behind.1, Some(defect), "{bad:?}");
        assert!(found.1.is_some(), "{bad:?}");
    }
    assert_eq!(delivered(&headers(&good)).1, None);
}

#[test]
fn the_properties_beside_bad_headers_are_kept() {
    let flags = 0b1111_1001_1000_0000u16.to_be_bytes();
    let bad = long(&entry(b"b", b'?', b""));
    let properties =
        [&flags[..], &short(b"application/json"), &short(b"utf-8"), &bad, &[2, 9], &short(b"100"), &short(b"id")];
    let (header, defect) = delivered(&properties.concat());
    let kept = header.properties;
    assert_eq!(defect, Some("headers_unknown_type"));
    assert_eq!(kept.content_type().as_deref(), Some("application/json"));
    assert_eq!(kept.content_encoding().as_deref(), Some("utf-8"));
    assert_eq!((*kept.delivery_mode(), *kept.priority()), (Some(2), Some(9)));
    assert_eq!(kept.expiration().as_deref(), Some("100"));
    assert_eq!(kept.message_id().as_deref(), Some("id"));
    assert_eq!(kept.headers().as_ref().unwrap().len(), 1);
}

#[test]
fn properties_that_are_not_utf8_or_cut_off_do_not_end_the_connection() {
    let (header, defect) = delivered(&[&[0xC0, 0][..], &short(b"\xff"), &short(b"gzip")].concat());
    assert_eq!(defect, Some("properties_not_utf8"));
    assert_eq!((header.properties.content_type(), header.properties.content_encoding()), (&None, &Some("gzip".into())));
    for malformed in [&[][..], &[0x80], &[0x80, 0], &[0x80, 0, 9, b'a'], &[0, 1, 0, 0], &[0, 0, 0]] {
        assert_eq!(delivered(malformed).1, Some("properties_malformed"), "{malformed:?}");
    }
    assert_eq!(delivered(&[0x20, 0, 0, 0, 0, 9]).1, Some("headers_malformed"));
}

#[test]
fn the_mark_of_the_guard_cannot_be_forged() {
    let forged = |nonce: &str| {
        let text = format!("{nonce}:headers_too_deep");
        delivered(&headers(&entry(b"x-guard", b'S', &long(text.as_bytes())))).1
    };
    assert_eq!(forged("00000000000000000000000000000000"), None);
    assert_eq!(forged(""), None);
    assert_eq!(forged(NONCE), Some("headers_too_deep"));
    assert_ne!(
        GuardReport::new().headers(super::super::defect_header::Defect::TooDeep),
        GuardReport::new().headers(super::super::defect_header::Defect::TooDeep)
    );
}

#[test]
fn a_header_larger_than_a_frame_becomes_a_delivery_that_says_so() {
    for size in [200_000, 20_000_000] {
        let (header, defect) = delivered(&headers(&entry(b"x", b'x', &long(&vec![7; size]))));
        assert_eq!(defect, Some("headers_too_large"));
        assert_eq!(header.properties.headers().as_ref().unwrap().len(), 1);
    }
    // Headers that a broker adds when it dead-letters are within the limit.
    assert_eq!(delivered(&headers(&entry(b"x", b'x', &long(&vec![7; FRAME_MAX as usize])))).1, None);
}

#[test]
fn a_body_beyond_what_a_broker_can_relay_is_refused() {
    for size in [u64::MAX, 1 << 40, MAX_BODY + 1] {
        assert!(refusal(&header(1, size, &[0, 0])).contains("more than the possible"), "{size}");
    }
    passes(&header(1, MAX_BODY, &[0, 0]));
}

#[test]
fn a_frame_larger_than_agreed_is_refused_before_it_is_read() {
    let sized = |kind: u8, size: u32| [&[kind, 0, 1][..], &size.to_be_bytes()].concat();
    for kind in [1, 3] {
        for size in [FRAME_MAX + 1, u32::MAX] {
            assert!(refusal(&sized(kind, size)).contains("more than the agreed 131072"));
        }
        assert_eq!(harness::run(&sized(kind, FRAME_MAX), &[]).refusal, None);
    }
    let tune = |frame_max: u32| method(0, 10, 30, &[&[0, 0], &frame_max.to_be_bytes(), &[0, 9]]);
    passes(&[tune(0), tune(1 << 30), body(1, &vec![1; FRAME_MAX as usize])].concat());
    passes(&[tune(4096), body(1, &[1; 4096])].concat());
    assert!(refusal(&[tune(4096), body(1, &[1; 4097])].concat()).contains("4096"));
}

#[test]
fn what_is_no_frame_is_refused() {
    for (bytes, words) in [
        (b"AMQP\0\0\x09\x01".to_vec(), "does not speak AMQP 0-9-1"),
        (b"HTTP/1.1 400 Bad Request".to_vec(), "unknown type 72"),
        (frame(4, 0, b""), "unknown type 4"),
        (frame(8, 1, b""), "heartbeat on channel 1"),
        (body(0, b"secret"), "message on channel 0"),
        (header(0, 1, &[0, 0]), "message on channel 0"),
        (vec![3, 0, 1, 0, 0, 0, 1, 9, 9], "does not end"),
        (frame(2, 1, &[0, 60, 0, 0]), "cut off"),
        (frame(2, 1, &[0, 61, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), "unknown class 61"),
    ] {
        let refusal = refusal(&[frame(8, 0, b""), bytes].concat());
        assert!(refusal.contains(words), "{refusal}");
    }
    passes(&frame(8, 0, b""));
}

#[test]
fn methods_that_are_not_for_a_client_or_cut_off_are_refused() {
    // channel.flow, basic.publish, queue.declare, tx.select-ok, an unknown method
    for (class, id) in [(20, 20), (60, 40), (50, 10), (90, 11), (7, 7)] {
        assert!(refusal(&method(1, class, id, &[])).contains("not one for a client"), "{class}.{id}");
    }
    assert!(refusal(&frame(1, 1, &[0, 60])).contains("cut off"));
    assert!(refusal(&method(1, 60, 60, &[&short(b"c"), &[0; 9], &short(b""), &[9, b'k']])).contains("cut off"));
    assert!(refusal(&method(1, 60, 80, &[&[0; 8]])).contains("cut off"));
    assert!(refusal(&method(1, 10, 60, &[&short(b"low")])).contains("does not belong on channel 1"));
    assert!(refusal(&method(0, 60, 80, &[&[0; 9]])).contains("does not belong on channel 0"));
    let start = |table: &[u8]| method(0, 10, 10, &[&[0, 9], &long(table), &long(b"PLAIN"), &long(b"en_US")]);
    passes(&start(&nested(3)));
    assert!(refusal(&start(&nested(4000))).contains("headers_too_deep"));
}

#[test]
fn a_text_that_is_not_utf8_does_not_end_the_connection() {
    for (sent, received) in [
        (deliver(1, 7, b"ex\xff", b"k\xc3\x28y"), deliver(1, 7, b"ex?", b"k?(y")),
        (
            method(1, 60, 50, &[&[1, 56], &short(b"\x80"), &short(b"\x81"), &short(b"\x82.a")]),
            method(1, 60, 50, &[&[1, 56], &short(b"?"), &short(b"?"), &short(b"?.a")]),
        ),
        (
            method(1, 60, 71, &[&[0; 9], &short(b"\xfe"), &short(b"\xff"), &[0; 4]]),
            method(1, 60, 71, &[&[0; 9], &short(b"?"), &short(b"?"), &[0; 4]]),
        ),
        (method(1, 60, 30, &[&short(b"\xff"), &[1]]), method(1, 60, 30, &[&short(b"?"), &[1]])),
        (
            method(1, 20, 40, &[&[1, 148], &short(b"no \xff"), &[0; 4]]),
            method(1, 20, 40, &[&[1, 148], &short(b"no ?"), &[0; 4]]),
        ),
        (method(0, 10, 60, &[&short(b"\xe9teint")]), method(0, 10, 60, &[&short(b"?teint")])),
    ] {
        assert_eq!(through(&sent), harness::Outcome { released: received, refusal: None });
    }
    // UTF-8 is not changed.
    passes(&deliver(1, 7, "größe".as_bytes(), "ключ".as_bytes()));
}

#[test]
fn a_broker_that_wants_no_heartbeats_gets_ours() {
    let tune = |heartbeat: [u8; 2]| method(0, 10, 30, &[&[0, 0], &[0, 2, 0, 0], &heartbeat]);
    assert_eq!(through(&tune([0, 0])).released, tune([0xFF, 0xFF]));
    passes(&tune([0, 60]));
}

#[test]
fn what_came_before_a_refusal_is_still_given() {
    let good = [deliver(1, 1, b"", b"k"), header(1, 0, &[0, 0])].concat();
    let outcome = through(&[&good[..], b"nonsense"].concat());
    assert_eq!(outcome.released, good);
    assert!(outcome.refusal.is_some());
}

#[test]
fn the_buffer_does_not_grow_with_what_a_peer_announces() {
    let mut filter = filter::Filter::new(std::sync::Arc::new(GuardReport::new()));
    let room = filter.space().len();
    assert!(room < 256 * 1024);
    let head = [2, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0, 60];
    filter.space()[..head.len()].copy_from_slice(&head);
    filter.filled(head.len());
    assert!(filter.take(&mut [0; 8]).is_none());
    assert_eq!(filter.space().len(), room - head.len());
}
