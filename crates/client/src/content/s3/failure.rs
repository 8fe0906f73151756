//! What a refusal of S3's means, and what would help. Of what a server says, only its code and its region are repeated,
//! and only where they look like such.

use zc_events_protocol::Outcome;

use super::super::{key, rejected};
use super::exchange::{Answer, Ask};
use super::options::S3Options;
use super::place::Place;
use crate::Error;

/// The error of a call that was answered with anything but success.
pub(super) fn of_answer(ask: &Ask<'_>, answer: &Answer, options: &S3Options, place: &Place) -> Error {
    let code = answer.code.as_deref().map(|code| format!(", {code}")).unwrap_or_default();
    let mut what = format!(
        "the content store at {} (bucket `{}`) does not {} {}: status {}{code}",
        place.server(),
        options.bucket,
        ask.doing,
        key::shown(ask.key),
        answer.status
    );
    if let Some(hint) = hint(answer) {
        what = format!("{what}: {hint}");
    }
    if answer.may_pass() {
        return Error::Unavailable { what, outcome: Outcome::NotSent, source: None };
    }
    rejected(what)
}

fn hint(answer: &Answer) -> Option<String> {
    let hint = match (answer.status, answer.code.as_deref().unwrap_or_default()) {
        (_, "InvalidAccessKeyId") => "AWS_ACCESS_KEY_ID is not known there",
        (_, "SignatureDoesNotMatch") => "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID",
        (_, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired") => "AWS_SESSION_TOKEN is not valid (any more)",
        (_, "RequestTimeTooSkewed" | "RequestExpired") => "this machine's clock is not the server's",
        (_, "NoSuchBucket" | "InvalidBucketName") => {
            "there is no such bucket (AWS_EMAIL_BUCKET_NAME, AWS_INDEXER_BUCKET_NAME)"
        }
        (301 | 302 | 307 | 308, _)
        | (_, "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException") => {
            let region = answer.region.as_deref().map(|region| format!(", `{region}`")).unwrap_or_default();
            return Some(format!("the bucket is in another region{region} (AWS_DEFAULT_REGION, AWS_ENDPOINT_URL)"));
        }
        (401 | 403, _) => {
            "AWS_ACCESS_KEY_ID may not do that there; where it may not list the bucket, so is a missing key"
        }
        (413, _) | (_, "EntityTooLarge") => "the server takes no content of that size",
        (404, _) => "nothing there answers as S3 does (AWS_ENDPOINT_URL, AWS_S3_ADDRESSING_STYLE)",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// The code within S3's XML, such as `NoSuchKey`.
pub(super) fn code(body: &[u8]) -> Option<String> {
    const LONGEST: usize = 64;
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let is_code = !code.is_empty() && code.len() <= LONGEST && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_code.then(|| code.to_owned())
}

/// A region, where it looks like one.
pub(super) fn region(text: &str) -> Option<String> {
    const LONGEST: usize = 32;
    let is_region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (!text.is_empty() && text.len() <= LONGEST && text.bytes().all(is_region)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, code: Option<&str>, region: Option<&str>) -> Error {
        let options = S3Options::new("bucket", "id", "canary");
        let place = Place::of(&options).unwrap();
        let ask = Ask { method: "PUT", doing: "store", key: "a\nb", content_type: None, content: b"canary" };
        let (code, region) = (code.map(str::to_owned), region.map(str::to_owned));
        of_answer(&ask, &Answer { status, code, region, content: Vec::new() }, &options, &place)
    }

    #[test]
    fn a_refusal_is_told_with_what_would_help() {
        for (status, code, hint) in [
            (403, Some("InvalidAccessKeyId"), "AWS_ACCESS_KEY_ID is not known"),
            (403, Some("SignatureDoesNotMatch"), "AWS_SECRET_ACCESS_KEY"),
            (400, Some("ExpiredToken"), "AWS_SESSION_TOKEN"),
            (403, Some("RequestTimeTooSkewed"), "clock"),
            (403, Some("AccessDenied"), "may not do that"),
            (403, None, "may not do that"),
            (404, Some("NoSuchBucket"), "AWS_EMAIL_BUCKET_NAME"),
            (400, Some("AuthorizationHeaderMalformed"), "`eu-west-1` (AWS_DEFAULT_REGION"),
            (301, None, "AWS_DEFAULT_REGION"),
            (404, None, "AWS_ENDPOINT_URL"),
            (413, None, "size"),
        ] {
            let Error::Rejected { why, outcome: Outcome::NotSent } = error(status, code, Some("eu-west-1")) else {
                panic!("{status} {code:?}")
            };
            assert!(why.contains(hint) && why.contains(&status.to_string()) && why.contains("`bucket`"), "{why}");
            assert!(!why.contains("canary") && !why.contains('\n'), "{why}");
        }
        for status in [429, 500, 502, 503, 504] {
            let error = error(status, Some("SlowDown"), None);
            assert!(error.is_retryable() && error.to_string().contains("SlowDown"), "{error}");
        }
    }

    #[test]
    fn of_what_a_server_says_only_a_code_is_repeated() {
        assert_eq!(code(b"<?xml?><Error><Code>NoSuchKey</Code><Message>x</Message></Error>").unwrap(), "NoSuchKey");
        for body in [
            &b""[..],
            b"<Code>",
            b"<Code></Code>",
            b"<Code>a b</Code>",
            b"<Code><x></Code>",
            b"\xff<Code>x</Code>",
            format!("<Code>{}</Code>", "x".repeat(65)).as_bytes(),
        ] {
            assert_eq!(code(body), None);
        }
        assert_eq!(region("eu-west-1").unwrap(), "eu-west-1");
        assert_eq!(region("EU\nwest"), None);
    }
}
