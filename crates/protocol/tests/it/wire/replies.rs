//! What responders stored in Redis, read and written again; and the commands they took.

use std::io::Read;

use serde_json::{Value, json};
use zc_events_protocol::{Call, Method};
use zc_events_protocol::{CallReply, Limits, REPLY_TTL, RemoteError, Reply, ResourceRequest};

use super::load::{Kind, base64, of_kind, tagged, vector};

fn inflate(bytes: &[u8]) -> Value {
    let mut text = String::new();
    flate2::read::ZlibDecoder::new(bytes).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn request_replies_equal_pythons_bytes() {
    for (name, expectation) in of_kind(Kind::Reply) {
        let vector = vector(&name);
        let expected = expectation.expect.unwrap();
        let stored = base64(&vector["value_b64"]);
        let reply = Reply::decode(&stored, &Limits::default()).unwrap();
        let document = reply.document().unwrap();
        assert_eq!(json!({"status": reply.status, "document": document.as_ref().map(tagged)}), expected, "{name}");
        assert_eq!(reply.is_error(), expected["status"].as_u64().unwrap() >= 400, "{name}");

        // Written again it is the same JSON, in a zlib stream; a document that was not wrapped in a text is now.
        let (again, original) = (inflate(&reply.encode().unwrap()), inflate(&stored));
        assert_eq!(again["status"], original["status"], "{name}");
        if original["body"].is_object() {
            assert_eq!(
                serde_json::from_str::<Value>(again["body"].as_str().unwrap()).unwrap(),
                original["body"],
                "{name}"
            );
        } else {
            assert_eq!(again, original, "{name}");
        }
        // And made from the document alone, it means the same.
        if let Some(document) = document {
            let made = Reply::new(reply.status, &document).unwrap().encode().unwrap();
            assert_eq!(Reply::decode(&made, &Limits::default()).unwrap().document().unwrap(), Some(document), "{name}");
        }
        assert_eq!(vector["ttl"], REPLY_TTL.as_secs(), "{name}");
    }
}

#[test]
fn call_replies_equal_pythons_bytes() {
    for (name, expectation) in of_kind(Kind::CallReply) {
        let vector = vector(&name);
        let stored = base64(&vector["value_b64"]);
        let found = CallReply::decode(&stored, &Limits::default());
        let Some(expected) = expectation.expect else {
            assert_eq!(found.unwrap_err().reason(), expectation.refused.unwrap(), "{name}");
            continue;
        };
        let reply = found.unwrap();
        assert_eq!(
            json!({"data": tagged(&reply.data), "has_errors": reply.has_errors, "errors": tagged(&reply.errors)}),
            expected,
            "{name}"
        );
        assert_eq!(CallReply::decode(&reply.encode().unwrap(), &Limits::default()).as_ref(), Ok(&reply), "{name}");
        assert_eq!(reply.errors().is_empty(), !reply.is_error(), "{name}");
        for error in reply.errors() {
            assert!(!error.kind.is_empty() && !error.message.is_empty(), "{name}");
        }
        if let Some(first) = expected["errors"].get(0) {
            let error = &reply.errors()[0];
            assert_eq!(
                json!([error.kind, error.message, error.trace]),
                json!([first["type"], first["message"], first["trace"]])
            );
        }
        assert_eq!(vector["ttl"], REPLY_TTL.as_secs(), "{name}");
    }
}

/// Where the original leaves its caller without an answer, there is one here to give.
#[test]
fn requests_that_python_never_answers_can_be_answered() {
    for (name, _) in of_kind(Kind::Unanswered) {
        let vector = vector(&name);
        assert!(vector["key_exists_after"] == false || vector["type"] == "none", "{name}");
        let why = vector["raised"].as_str().unwrap_or("UnknownKey: no such function");
        let (kind, message) = why.split_once(": ").unwrap();
        let call = CallReply::failure([RemoteError::new(kind, message)]).encode().unwrap();
        let read: Value = serde_json::from_slice(&call).unwrap();
        assert_eq!(read["has_errors"], true, "{name}");
        assert_eq!(read["errors"][0], json!({"type": kind, "message": message, "trace": ""}), "{name}");
        let request =
            Reply::new(500, &json!({"errors": [{"status": "500", "title": kind}]})).unwrap().encode().unwrap();
        assert_eq!(inflate(&request)["status"], 500, "{name}");
    }
}

#[test]
fn reply_keys_and_expiry_equal_pythons() {
    for (name, expectation) in of_kind(Kind::Monitor) {
        let vector = vector(&name);
        let commands = vector["commands"].as_array().unwrap();
        assert_eq!(commands.len(), expectation.commands.unwrap(), "{name}");
        let commands: Vec<Vec<&str>> = commands
            .iter()
            .map(|command| command["raw"].as_str().unwrap().splitn(3, ' ').map(|word| word.trim_matches('"')).collect())
            .filter(|words: &Vec<&str>| !matches!(words[0], "HELLO" | "SELECT" | "CLIENT"))
            .collect();
        let (call, request) = (Call::new("k", Method::Get), ResourceRequest::new("R"));
        let ours = if name.contains("legacy") { request.response_key.as_str() } else { call.response_key().unwrap() };
        assert!(!commands.is_empty() && commands.len().is_multiple_of(3), "{name}");
        for round in commands.chunks(3) {
            // Calls of other clients could come between these; the capture has none.
            let verbs: Vec<&str> = round.iter().map(|words| words[0]).collect();
            assert_eq!(verbs, ["BLPOP", "RPUSH", "EXPIRE"], "{name}");
            let key = round[0][1];
            assert!(round.iter().all(|words| words[1] == key), "{name}");
            assert_eq!(shape(key), shape(ours), "{name}");
            assert_eq!(round[2][2], REPLY_TTL.as_secs().to_string(), "{name}");
        }
    }
}

/// A key with its random digits blotted out.
fn shape(key: &str) -> String {
    let (prefix, uuid) = key.split_at(key.len() - 36);
    prefix.to_owned() + &uuid.replace(|c: char| c.is_ascii_hexdigit(), "x")
}
