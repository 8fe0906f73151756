//! AWS Signature Version 4, in headers. Signed URLs, which most synchronous libraries offer, would put the signature and
//! the token into the logs of proxies and servers.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::options::S3Options;
use crate::{Error, Result};

/// The parts of a request that the signature covers.
pub(super) struct SignedParts<'a> {
    pub(super) method: &'a str,
    pub(super) host: &'a str,
    /// Percent-encoded.
    pub(super) path: &'a str,
    /// Names in lower case; values trimmed, with single spaces.
    pub(super) headers: Vec<(&'a str, String)>,
    /// The SHA-256 of the body, in hexadecimal.
    pub(super) digest: &'a str,
}

/// The SHA-256 of a body, in hexadecimal.
pub(super) fn digest(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

/// All headers of the request, including the signature.
pub(super) fn headers(request: SignedParts<'_>, options: &S3Options, at: SystemTime) -> Result<Vec<(String, String)>> {
    let (day, second) = dates(at)?;
    let digest = request.digest;
    let mut headers = request.headers;
    headers.push(("host", request.host.to_owned()));
    headers.push(("x-amz-content-sha256", digest.to_owned()));
    headers.push(("x-amz-date", second.clone()));
    if let Some(token) = &options.session_token {
        headers.push(("x-amz-security-token", token.clone()));
    }
    headers.sort_unstable();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    // The line of the query is empty: there is no query.
    let canonical = format!("{}\n{}\n\n{lines}\n{names}\n{digest}", request.method, request.path);
    let scope = format!("{day}/{}/s3/aws4_request", options.region);
    let text = format!("AWS4-HMAC-SHA256\n{second}\n{scope}\n{}", self::digest(canonical.as_bytes()));
    let mut key = format!("AWS4{}", options.secret_access_key).into_bytes();
    for part in [&day, &options.region, "s3", "aws4_request"] {
        key = mac(&key, part)?;
    }
    let signature = hex(&mac(&key, &text)?);
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={signature}",
        options.access_key_id
    );
    let mut headers: Vec<_> = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    headers.push(("authorization".to_owned(), authorization));
    Ok(headers)
}

fn mac(key: &[u8], text: &str) -> Result<Vec<u8>> {
    // A key may have any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key)
        .map_err(|_| Error::config("AWS_SECRET_ACCESS_KEY cannot be used as a signing key"))?;
    mac.update(text.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The date, and the date with the time, in AWS's format.
fn dates(at: SystemTime) -> Result<(String, String)> {
    let seconds = at.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok());
    let at = seconds
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or_else(|| Error::config("the clock's year is not between 1970 and 9999, so requests cannot be signed"))?;
    let day = format!("{:04}{:02}{:02}", at.year(), u8::from(at.month()), at.day());
    let second = format!("{day}T{:02}{:02}{:02}Z", at.hour(), at.minute(), at.second());
    Ok((day, second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// 2013-05-24 00:00:00 UTC.
    fn then() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_369_353_600)
    }

    /// The example of the AWS documentation ("Signature calculations for the Authorization header", single chunk).
    fn options() -> S3Options {
        S3Options::new("examplebucket", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    }

    fn authorization(method: &str, path: &str, headers: Vec<(&str, String)>, body: &[u8]) -> String {
        let host = "examplebucket.s3.amazonaws.com";
        let digest = &digest(body);
        let signed = SignedParts { method, host, path, headers, digest };
        let mut headers = super::headers(signed, &options(), then()).unwrap();
        let (name, value) = headers.pop().unwrap();
        assert_eq!(name, "authorization");
        value
    }

    #[test]
    fn a_get_is_signed_as_in_the_documentation_of_aws() {
        let headers = vec![("range", "bytes=0-9".to_owned())];
        assert_eq!(
            authorization("GET", "/test.txt", headers, b""),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
             Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
    }

    #[test]
    fn a_put_is_signed_as_in_the_documentation_of_aws() {
        let headers = vec![
            ("date", "Fri, 24 May 2013 00:00:00 GMT".to_owned()),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY".to_owned()),
        ];
        assert_eq!(
            authorization("PUT", "/test%24file.text", headers, b"Welcome to Amazon S3."),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,\
             Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        );
    }

    #[test]
    fn a_token_is_signed_too() {
        let signed = || SignedParts { method: "GET", host: "h", path: "/k", headers: Vec::new(), digest: "" };
        let with = |token: &str| super::headers(signed(), &options().session_token(token), then()).unwrap();
        let (one, other) = (with("one"), with("other"));
        assert!(one.contains(&("x-amz-security-token".to_owned(), "one".to_owned())));
        assert!(one.last().unwrap().1.contains(";x-amz-security-token,"));
        assert_ne!(one.last(), other.last());
    }

    #[test]
    fn a_clock_outside_the_supported_years_is_an_error() {
        for at in [UNIX_EPOCH - Duration::from_secs(1), UNIX_EPOCH + Duration::from_secs(1 << 50)] {
            assert!(matches!(dates(at), Err(Error::Config { .. })));
        }
        assert_eq!(dates(then()).unwrap(), ("20130524".to_owned(), "20130524T000000Z".to_owned()));
    }
}
