//! Finds the event type without parsing the message: on a fanout exchange most messages are for other services.

use super::content_type::check_content_type;
use crate::Properties;

/// The type of an event, read from the first bytes of the body. `None` if that does not suffice (a compressed body, an
/// escape in the type, anything unexpected): decode the message then.
///
/// The rest of the body is not checked. It may be cut short, or have the key `args` a second time: no known sender
/// writes that, and Python would use the last one.
///
/// ```
/// use zc_events_protocol::{Properties, peek_event_type};
/// let body = br#"{"task":"microservice.event","id":"1","args":["order_created", 1"#;
/// assert_eq!(peek_event_type(&Properties::default(), body), Some("order_created"));
/// ```
#[must_use]
pub fn peek_event_type<'a>(properties: &Properties, body: &'a [u8]) -> Option<&'a str> {
    check_content_type(properties).ok()?;
    let header =
        |name| properties.headers.as_ref().and_then(|headers| headers.get(name)).filter(|value| !value.is_null());
    if header("compression").is_some() {
        return None;
    }
    let mut scan = Scan { bytes: body, at: 0 };
    scan.space();
    match scan.next()? {
        // Protocol 2, if there is a `task` header: [[type, ...], ...
        b'[' => {
            header("task")?;
            scan.space();
            scan.first_of_list()
        }
        // Protocol 1. Celery 3 writes the keys in any order.
        b'{' => loop {
            scan.space();
            let key = scan.plain_string()?;
            scan.space();
            (scan.next()? == b':').then_some(())?;
            scan.space();
            if key == "args" {
                return scan.first_of_list();
            }
            scan.skip_value()?;
            scan.space();
            (scan.next()? == b',').then_some(())?;
        },
        _ => None,
    }
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn first_of_list(&mut self) -> Option<&'a str> {
        (self.next()? == b'[').then_some(())?;
        self.space();
        let text = self.plain_string()?;
        self.space();
        matches!(self.next()?, b',' | b']').then_some(text)
    }

    /// A string without escapes.
    fn plain_string(&mut self) -> Option<&'a str> {
        (self.next()? == b'"').then_some(())?;
        let start = self.at;
        let rest = self.bytes.get(start..)?;
        let length = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20))?;
        if rest[length] != b'"' {
            return None;
        }
        self.at += length + 1;
        std::str::from_utf8(&rest[..length]).ok()
    }

    /// Skips a value of any kind without checking it.
    fn skip_value(&mut self) -> Option<()> {
        let mut open = 0_usize;
        loop {
            match *self.bytes.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    loop {
                        match self.next()? {
                            b'"' => break,
                            b'\\' => self.at += 1,
                            _ => {}
                        }
                    }
                }
                b'[' | b'{' => {
                    open += 1;
                    self.at += 1;
                }
                b']' | b'}' => {
                    open = open.checked_sub(1)?;
                    self.at += 1;
                }
                b',' if open == 0 => return Some(()),
                _ => self.at += 1,
            }
        }
    }

    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        byte
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HeaderValue, Headers};

    fn peek(body: &str) -> Option<&str> {
        peek_event_type(&Properties::default(), body.as_bytes())
    }

    #[test]
    fn the_type_is_found_in_any_order_of_keys() {
        assert_eq!(peek(r#"{"args":["e"],"task":"t"}"#), Some("e"));
        assert_eq!(
            peek(r#" { "kwargs" : {"args":["no"],"s":"\"],}"} , "id":null,"n":[1,{"a":[]}], "args" : [ "é" , 1]}"#),
            Some("é")
        );
    }

    #[test]
    fn unclear_bodies_have_no_peeked_type() {
        for body in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"args":[]}"#,
            r#"{"args":[5]}"#,
            r#"{"args":{"a":1}}"#,
            r#"{"args":["e\u0041"]}"#,
            r#"{"args":["e"#,
            r#"{"args":["e""#,
            r#"{"task":"t"}"#,
            r#"{"\u0061rgs":["e"]}"#,
            r#"{"kwargs":{"args":["e"]}}"#,
            r#"[["e"],{},{}]"#,
            r#"{"a":]],"args":["e"]}"#,
        ] {
            assert_eq!(peek(body), None, "{body}");
        }
    }

    #[test]
    fn properties_are_checked_first() {
        let with = |headers: &[(&str, &str)]| Properties {
            headers: Some(headers.iter().map(|(name, text)| ((*name).to_owned(), (*text).into())).collect::<Headers>()),
            ..Properties::default()
        };
        let body = br#"[["e", 1], {}, {}]"#;
        assert_eq!(peek_event_type(&with(&[("task", "microservice.event")]), body), Some("e"));
        assert_eq!(peek_event_type(&with(&[("task", "t"), ("compression", "gzip")]), body), None);
        let null = Properties {
            headers: Some(Headers::from([("task".to_owned(), HeaderValue::Null)])),
            ..Properties::default()
        };
        assert_eq!(peek_event_type(&null, body), None);
        let pickle =
            Properties { content_type: Some("application/x-python-serialize".to_owned()), ..Properties::default() };
        assert_eq!(peek_event_type(&pickle, br#"{"args":["e"]}"#), None);
    }
}
