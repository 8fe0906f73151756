//! The error of a response that is not a success, with a hint how to fix it.

use super::endpoint::S3Endpoint;
use super::options::S3Options;
use super::request::S3Request;
use super::response::S3Response;
use crate::{Error, key};

/// The error of a request that S3 refused.
pub(super) fn from_response(
    request: &S3Request<'_>,
    response: &S3Response,
    options: &S3Options,
    endpoint: &S3Endpoint,
) -> Error {
    let code = response.code.as_deref().map(|code| format!(", {code}")).unwrap_or_default();
    let mut what = format!(
        "the blob store at {} (bucket `{}`) does not {} {}: status {}{code}",
        endpoint.server(),
        options.bucket,
        request.action,
        key::shown(request.key),
        response.status
    );
    if let Some(hint) = hint(response, options) {
        what = format!("{what}: {hint}");
    }
    if response.is_transient() { Error::unavailable(what) } else { Error::rejected(what) }
}

fn hint(response: &S3Response, options: &S3Options) -> Option<String> {
    let hint = match (response.status, response.code.as_deref().unwrap_or_default()) {
        (_, "InvalidAccessKeyId") => "the server does not know AWS_ACCESS_KEY_ID",
        (_, "SignatureDoesNotMatch") => "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID",
        (_, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired") => "AWS_SESSION_TOKEN is invalid or has expired",
        (_, "RequestTimeTooSkewed" | "RequestExpired") => "this machine's clock differs from the server's clock",
        (_, "NoSuchBucket" | "InvalidBucketName") => {
            return Some(format!("the bucket does not exist{}", options.bucket_hint()));
        }
        (301 | 302 | 307 | 308, _)
        | (_, "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException") => {
            let region = response.region.as_deref().map(|region| format!(", `{region}`")).unwrap_or_default();
            return Some(format!("the bucket is in another region{region} (AWS_DEFAULT_REGION, AWS_ENDPOINT_URL)"));
        }
        (401 | 403, _) => {
            "AWS_ACCESS_KEY_ID has no permission for this; without permission to list the bucket, a missing key gives the \
             same error"
        }
        (413, _) | (_, "EntityTooLarge") => "the server does not accept a blob of this size",
        (404, _) => {
            "the server is not S3, or the bucket is addressed wrongly (AWS_ENDPOINT_URL, AWS_S3_ADDRESSING_STYLE)"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, code: Option<&str>, region: Option<&str>) -> Error {
        let options = S3Options::new("bucket", "id", "canary").bucket_setting("AWS_EMAIL_BUCKET_NAME");
        let endpoint = S3Endpoint::of(&options).unwrap();
        let request = S3Request { method: "PUT", action: "store", key: "a\nb", content_type: None, body: b"canary" };
        let (code, region) = (code.map(str::to_owned), region.map(str::to_owned));
        let response = S3Response { status, code, region, body: Vec::new() };
        from_response(&request, &response, &options, &endpoint)
    }

    #[test]
    fn a_refusal_has_a_hint() {
        for (status, code, hint) in [
            (403, Some("InvalidAccessKeyId"), "does not know AWS_ACCESS_KEY_ID"),
            (403, Some("SignatureDoesNotMatch"), "AWS_SECRET_ACCESS_KEY"),
            (400, Some("ExpiredToken"), "AWS_SESSION_TOKEN"),
            (403, Some("RequestTimeTooSkewed"), "clock"),
            (403, Some("AccessDenied"), "no permission"),
            (403, None, "no permission"),
            (404, Some("NoSuchBucket"), "does not exist (AWS_EMAIL_BUCKET_NAME)"),
            (400, Some("AuthorizationHeaderMalformed"), "`eu-west-1` (AWS_DEFAULT_REGION"),
            (301, None, "AWS_DEFAULT_REGION"),
            (404, None, "AWS_ENDPOINT_URL"),
            (413, None, "size"),
        ] {
            let Error::Rejected { why } = error(status, code, Some("eu-west-1")) else { panic!("{status} {code:?}") };
            assert!(why.contains(hint) && why.contains(&status.to_string()) && why.contains("`bucket`"), "{why}");
            assert!(!why.contains("canary") && !why.contains('\n'), "{why}");
        }
        for status in [429, 500, 502, 503, 504] {
            let error = error(status, Some("SlowDown"), None);
            assert!(error.is_retryable() && error.to_string().contains("SlowDown"), "{error}");
        }
    }
}
