//! Messages made to hurt: none may cost more than the limits allow.

use std::io::Write;

use zc_events_protocol::{
    CallReply, DecodeError, HeaderValue, Headers, Limits, Properties, Reply, Task, peek_event_type,
};

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn compressed() -> Properties {
    let headers = Headers::from([("compression".to_owned(), HeaderValue::from("application/x-gzip"))]);
    Properties { headers: Some(headers), ..Properties::default() }
}

#[test]
fn zip_bomb_is_not_inflated() {
    let bomb = zlib(&vec![b' '; 100 * 1024 * 1024]);
    assert!(bomb.len() < 128 * 1024);
    let limits = Limits::default();
    for refused in [
        Task::decode(&compressed(), &bomb, &limits).unwrap_err(),
        Reply::decode(&bomb, &limits).unwrap_err(),
        Reply::decode(&bomb, &Limits { ratio: usize::MAX, ..limits }).unwrap_err(),
    ] {
        assert!(matches!(refused, DecodeError::TooLarge { what: "decompressed body", size: None, .. }), "{refused}");
    }
}

#[test]
fn nested_zip_bomb_is_not_inflated() {
    let inner = zlib(&vec![0; 10 * 1024 * 1024]);
    assert_eq!(Task::decode(&compressed(), &zlib(&inner), &Limits::default()).unwrap_err().reason(), "invalid_utf8");
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let deep = |open: &str, close: &str| [open.repeat(100_000), close.repeat(100_000)].concat();
    for payload in [deep("[", "]"), deep("{\"a\":", "}"), "[".repeat(100_000)] {
        let v1 = format!(r#"{{"task":"t","args":["e",{payload}]}}"#);
        let too_deep = Err(DecodeError::TooDeep { limit: 128 });
        assert_eq!(Task::decode(&Properties::default(), v1.as_bytes(), &Limits::default()), too_deep);
        assert_eq!(peek_event_type(&Properties::default(), v1.as_bytes()), Some("e"));
        // Skipping what stands before the arguments takes no stack either.
        let late = format!(r#"{{"kwargs":{payload},"args":["e"]}}"#);
        let _ = peek_event_type(&Properties::default(), late.as_bytes());
        let reply = format!(r#"{{"status":200,"body":{payload}}}"#);
        assert_eq!(Reply::decode(&zlib(reply.as_bytes()), &Limits::default()).unwrap_err().reason(), "too_deep");
        let text = serde_json::json!({"status": 200, "body": payload}).to_string();
        let reply = Reply::decode(&zlib(text.as_bytes()), &Limits::default()).unwrap();
        assert_eq!(reply.document().unwrap_err().reason(), "too_deep");
        let call = format!(r#"{{"data":{payload}}}"#);
        assert_eq!(CallReply::decode(call.as_bytes(), &Limits::default()).unwrap_err().reason(), "too_deep");
    }
}

#[test]
fn large_body_is_refused_before_parsing() {
    let limits = Limits { body: 10, ..Limits::default() };
    let too_large = |what| DecodeError::TooLarge { what, size: Some(11), limit: 10 };
    assert_eq!(Task::decode(&Properties::default(), &[b'x'; 11], &limits), Err(too_large("body")));
    assert_eq!(Reply::decode(&[b'x'; 11], &limits), Err(too_large("reply")));
    assert_eq!(CallReply::decode(&[b'x'; 11], &limits), Err(too_large("reply")));
}

#[test]
fn errors_never_quote_the_body() {
    for body in [
        r#"{"task":"hush""#,
        r#"{"task":"t","eta":"hush"}"#,
        r#"{"task":["hush"]}"#,
        "hush",
        r#"{"task":"t","args":"hush"}"#,
    ] {
        let error = Task::decode(&Properties::default(), body.as_bytes(), &Limits::default()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }
}

#[test]
fn names_in_errors_are_shortened_and_escaped() {
    let content_type = Some("\u{1b}[31m".to_owned() + &"x".repeat(10_000));
    let error =
        Task::decode(&Properties { content_type, ..Properties::default() }, b"{}", &Limits::default()).unwrap_err();
    let text = error.to_string();
    assert!(text.len() < 200 && !text.contains('\u{1b}'), "{text}");
}
