//! Messages of every known kind that a service cannot handle, and the reason with which each must be dead-lettered.

use std::io::Write;

use amiquip::{AmqpProperties, AmqpValue, FieldTable};

use integration_tests::raw::{entry, long, short};

/// An event type with a handler that takes `{"number": ..}`.
pub(super) const TYPED: &str = "typed";
/// An event type whose handler panics.
pub(super) const PANICS: &str = "panics";
/// An event type whose handler fails permanently.
pub(super) const FAILS: &str = "fails";
/// An event type whose handler fails and is retried.
pub(super) const FAILS_TWICE: &str = "fails_twice";
/// An event type without a handler.
pub(super) const UNHEARD: &str = "unheard";

/// A message.
pub(super) struct MalformedMessage {
    /// The reason that the dead letter must have; `None` if the service must ignore the message.
    pub(super) reason: Option<&'static str>,
    pub(super) body: Vec<u8>,
    pub(super) shape: Shape,
}

/// How the message is published.
pub(super) enum Shape {
    Valid(Box<AmqpProperties>),
    /// With a property list that no client writes: properties without their flags, after a message id.
    Raw {
        flags: [u8; 2],
        before: Vec<u8>,
    },
}

/// The body of a message of protocol 1.
fn v1(number: u64, args: &str, kwargs: &str) -> String {
    format!(r#"{{"task":"microservice.event","id":"malformed-{number}","args":{args},"kwargs":{kwargs}}}"#)
}

fn event(number: u64, event_type: &str, kwargs: &str) -> String {
    v1(number, &format!(r#"["{event_type}"]"#), kwargs)
}

/// A well-formed message of that type.
pub(super) fn sound(number: u64, event_type: &str) -> String {
    event(number, event_type, &format!(r#"{{"number":{number}}}"#))
}

fn table(entries: Vec<(&str, AmqpValue)>) -> FieldTable {
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn text(value: impl Into<String>) -> AmqpValue {
    AmqpValue::LongString(value.into())
}

fn json() -> AmqpProperties {
    AmqpProperties::default().with_content_type("application/json".to_owned())
}

fn with(entries: Vec<(&str, AmqpValue)>) -> AmqpProperties {
    json().with_headers(table(entries))
}

fn squeezed(method: &str, plain: &[u8]) -> std::io::Result<Vec<u8>> {
    Ok(match method {
        "zlib" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(plain)?;
            encoder.finish()?
        }
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(plain)?;
            encoder.finish()?
        }
        _ => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
            encoder.write_all(plain)?;
            encoder.finish()?
        }
    })
}

/// Makes malformed messages. It compresses the bombs once.
pub(super) struct MalformedMessages {
    bombs: Vec<(&'static str, Vec<u8>)>,
}

impl MalformedMessages {
    pub(super) fn new() -> std::io::Result<Self> {
        let zeros = vec![b'0'; 2 << 20];
        let bombs: std::io::Result<Vec<_>> =
            ["zlib", "gzip", "bzip2"].into_iter().map(|method| Ok((method, squeezed(method, &zeros)?))).collect();
        Ok(Self { bombs: bombs? })
    }

    /// The message with this number. The kinds repeat in a cycle; large messages are rare.
    pub(super) fn message(&self, n: u64) -> MalformedMessage {
        let valid = |reason, body: Vec<u8>, properties| MalformedMessage {
            reason: Some(reason),
            body,
            shape: Shape::Valid(Box::new(properties)),
        };
        let body = |reason, body: String| valid(reason, body.into_bytes(), json());
        let value = |reason, value: &str| body(reason, event(n, TYPED, &format!(r#"{{"number":{value}}}"#)));
        let v2 = |reason, body: &str, headers| valid(reason, body.as_bytes().to_vec(), with(headers));
        let again = n / 37;
        match n % 37 {
            0 => {
                let whole = sound(n, TYPED);
                let end = 1 + (again as usize * 13) % (whole.len() - 1);
                body("malformed", whole[..end].to_owned())
            }
            1 => body("empty", " ".repeat((again % 3) as usize)),
            2 => {
                let depth = 200 + (again as usize * 97) % 20_000;
                value("too_deep", &format!("{}{}", "[".repeat(depth), "]".repeat(depth)))
            }
            3 => {
                let mut bytes = sound(n, TYPED).into_bytes();
                bytes.splice(bytes.len() - 2.., *b",\"x\":\"\xff\xfe\"}}");
                valid("invalid_utf8", bytes, json())
            }
            4 => body("byte_order_mark", format!("\u{feff}{}", sound(n, TYPED))),
            5 => value("not_a_number", ["NaN", "Infinity", "-Infinity"][again as usize % 3]),
            6 => value("integer_out_of_range", ["18446744073709551616", "-9223372036854775809"][again as usize % 2]),
            7 => value("integer_out_of_range", &"9".repeat(20 + (again as usize * 7) % 5000)),
            8 => value("float_out_of_range", "1e400"),
            9 => value("lone_surrogate", r#""\ud83c""#),
            10 => body("bad_field", v1(n, r#"{"typed":1}"#, "{}")),
            11 => body("bad_field", event(n, TYPED, "[1, 2]")),
            12 => body("bad_field", format!(r#"{{"task":7,"id":"malformed-{n}","args":["typed"],"kwargs":{{}}}}"#)),
            13 => body("bad_field", sound(n, TYPED).replace(r#""id""#, r#""eta":"yesterday","id""#)),
            14 => body("bad_field", sound(n, TYPED).replace(r#""id""#, r#""retries":"many","id""#)),
            15 => body(
                "not_a_task",
                ["7", "\"typed\"", "null", r#"{"hello":1}"#, "[1,2,3]"][again as usize % 5].to_owned(),
            ),
            16 => v2("missing_header", r#"[["typed"],{},{}]"#, vec![("task", text("microservice.event"))]),
            17 => v2(
                "bad_field",
                r#"[["typed"],{}]"#,
                vec![("task", text("microservice.event")), ("id", text(n.to_string()))],
            ),
            18 => v2(
                "bad_field",
                r#"[["typed"],{},{}]"#,
                vec![("task", AmqpValue::Boolean(true)), ("id", text(n.to_string()))],
            ),
            19 => value("rich_type", r#"{"__type__":"os.system","__value__":"reboot"}"#),
            20 => {
                let pickle = format!("cos\nsystem\n(S'echo {n}'\ntR.").into_bytes();
                valid("content_type", pickle, json().with_content_type("application/x-python-serialize".to_owned()))
            }
            21 => valid("content_type", b"task: x".to_vec(), json().with_content_type("application/x-yaml".to_owned())),
            22 => valid("charset", sound(n, TYPED).into_bytes(), json().with_content_encoding("utf-16".to_owned())),
            23 => v2("compression", &sound(n, TYPED), vec![("compression", text("application/x-lzma"))]),
            24 => v2("inflate", &sound(n, TYPED), vec![("compression", text("application/x-gzip"))]),
            25 => {
                let (method, bomb) = &self.bombs[again as usize % self.bombs.len()];
                valid("too_large", bomb.clone(), with(vec![("compression", text(*method))]))
            }
            26 => {
                let (method, bomb) = &self.bombs[again as usize % self.bombs.len()];
                valid("inflate", bomb[..bomb.len() / 2].to_vec(), with(vec![("compression", text(*method))]))
            }
            27 => {
                let deep = (0..40).fold(text("x"), |inner, _| AmqpValue::FieldTable(table(vec![("n", inner)])));
                valid("headers_too_deep", sound(n, TYPED).into_bytes(), with(vec![("deep", deep)]))
            }
            28 if again.is_multiple_of(10) => {
                valid("headers_too_large", sound(n, TYPED).into_bytes(), with(vec![("note", text("x".repeat(70_000)))]))
            }
            29 if again.is_multiple_of(4) => {
                let headers = long(&entry(b"note", b'S', &long(b"\xff\xfe")));
                let shape = Shape::Raw { flags: [0x20, 0x80], before: headers };
                MalformedMessage { reason: Some("headers_not_utf8"), body: sound(n, TYPED).into_bytes(), shape }
            }
            30 if again.is_multiple_of(4) => {
                let shape = Shape::Raw { flags: [0x80, 0x80], before: short(b"text/\xff") };
                MalformedMessage { reason: Some("properties_not_utf8"), body: sound(n, TYPED).into_bytes(), shape }
            }
            28..=31 => value("payload_mismatch", ["\"one\"", "-1", "null", "[1]"][again as usize % 4]),
            32 => body("panicked", sound(n, PANICS)),
            33 => body("failed", sound(n, FAILS)),
            34 => body("failed", sound(n, FAILS_TWICE)),
            35 => body("no_request", event(n, "echo_request", "{}")),
            // Malformed, and probably for another service.
            _ => {
                let whole = sound(n, UNHEARD);
                MalformedMessage {
                    reason: None,
                    ..body("", whole[..whole.len() - 1 - (again as usize) % 8].to_owned())
                }
            }
        }
    }
}
