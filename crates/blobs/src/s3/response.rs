//! One response of S3. Of the server's text only the error code and the region are kept, and only if they look valid.

/// What S3 answered.
pub(super) struct S3Response {
    pub(super) status: u16,
    /// S3's error code.
    pub(super) code: Option<String>,
    /// The region of the bucket, if the server names it.
    pub(super) region: Option<String>,
    /// The blob, for a GET with status 200.
    pub(super) body: Vec<u8>,
}

impl S3Response {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether it says that there is no blob under the key. A missing bucket, or a server that is not S3, is different.
    pub(super) fn is_missing_key(&self) -> bool {
        self.code.as_deref() == Some("NoSuchKey")
    }

    /// Whether the same request may succeed later.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self.status, 429 | 500 | 502 | 503 | 504)
    }
}

/// The error code within S3's XML, such as `NoSuchKey`.
pub(super) fn error_code(body: &[u8]) -> Option<String> {
    const MAX_BYTES: usize = 64;
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let is_code = !code.is_empty() && code.len() <= MAX_BYTES && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_code.then(|| code.to_owned())
}

/// A region, if the text looks like one.
pub(super) fn region(text: &str) -> Option<String> {
    const MAX_BYTES: usize = 32;
    let is_region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (!text.is_empty() && text.len() <= MAX_BYTES && text.bytes().all(is_region)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_code_and_region_are_kept() {
        assert_eq!(
            error_code(b"<?xml?><Error><Code>NoSuchKey</Code><Message>x</Message></Error>").unwrap(),
            "NoSuchKey"
        );
        for body in [
            &b""[..],
            b"<Code>",
            b"<Code></Code>",
            b"<Code>a b</Code>",
            b"<Code><x></Code>",
            b"\xff<Code>x</Code>",
            format!("<Code>{}</Code>", "x".repeat(65)).as_bytes(),
        ] {
            assert_eq!(error_code(body), None);
        }
        assert_eq!(region("eu-west-1").unwrap(), "eu-west-1");
        assert_eq!(region("EU\nwest"), None);
    }
}
