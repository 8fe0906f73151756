//! What a store in S3 is told: the bucket, who asks, where the server is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use zc_events_protocol::{Clock, SystemClock};

use super::super::MAX_BYTES;
use crate::{Error, Result};

/// The options of an [`S3Store`](super::S3Store). `Debug` shows neither the secret key nor the token.
///
/// ```
/// use zc_events::content::{Addressing, S3Options, S3Store};
/// let options = S3Options::new("contents", "minio", "the secret")
///     .endpoint("http://127.0.0.1:9000")
///     .addressing(Addressing::Path);
/// assert!(!format!("{options:?}").contains("the secret"));
/// let store = S3Store::new(options)?; // connects to nothing yet
/// # Ok::<(), zc_events::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "options do nothing until a store is made of them"]
pub struct S3Options {
    pub(super) bucket: String,
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
    pub(super) session_token: Option<String>,
    pub(super) region: String,
    pub(super) endpoint: Option<String>,
    pub(super) addressing: Addressing,
    pub(super) ca_bundle: Option<PathBuf>,
    pub(super) max_bytes: usize,
    pub(super) clock: Arc<dyn Clock>,
}

/// How a request names its bucket. The setting `AWS_S3_ADDRESSING_STYLE`: `auto`, `path` or `virtual`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Addressing {
    /// `auto`: in the path where an endpoint is given or the bucket's name has a dot, which no certificate covers; else
    /// in the host.
    #[default]
    Auto,
    /// `path`: `https://host/bucket/key`.
    Path,
    /// `virtual`: `https://bucket.host/key`.
    Virtual,
}

impl FromStr for Addressing {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "auto" => Ok(Addressing::Auto),
            "path" => Ok(Addressing::Path),
            "virtual" => Ok(Addressing::Virtual),
            _ => Err(Error::config("AWS_S3_ADDRESSING_STYLE is none of `auto` (the default), `path` and `virtual`")),
        }
    }
}

impl S3Options {
    /// A bucket, and who asks for what is in it: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    pub fn new(
        bucket: impl Into<String>,
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
    ) -> Self {
        Self {
            bucket: bucket.into(),
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: None,
            region: "us-east-1".to_owned(),
            endpoint: None,
            addressing: Addressing::Auto,
            ca_bundle: None,
            max_bytes: MAX_BYTES,
            clock: Arc::new(SystemClock),
        }
    }

    /// `AWS_SESSION_TOKEN`: goes with credentials that last for a while only. None unless set.
    pub fn session_token(mut self, token: impl Into<String>) -> Self {
        self.session_token = Some(token.into());
        self
    }

    /// `AWS_DEFAULT_REGION`: where the bucket is; `us-east-1` unless set.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// `AWS_ENDPOINT_URL`: another server than AWS's, `https://host:port` or `http://host:port`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// `AWS_S3_ADDRESSING_STYLE`: how a request names its bucket; [`Addressing::Auto`] unless set.
    pub fn addressing(mut self, addressing: Addressing) -> Self {
        self.addressing = addressing;
        self
    }

    /// `AWS_CA_BUNDLE`: a file with the certificates, in PEM, of those who vouch for the server, in place of Mozilla's.
    /// It is read once, by [`S3Store::new`](super::S3Store::new).
    pub fn ca_bundle(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_bundle = Some(path.into());
        self
    }

    /// Takes and hands out no content of more bytes; [`MAX_BYTES`] unless set.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Takes the time from this clock: deadlines pass by it, and requests are signed with it. The system's unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Refuses what could not be signed or sent. What is wrong with the endpoint is told where it is read.
    pub(super) fn check(&self) -> Result<()> {
        let visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let wrong = |what: &str| Err(Error::config(what));
        if !(3..=63).contains(&self.bucket.len())
            || !self.bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
            || !self.bucket.starts_with(|c: char| c.is_ascii_alphanumeric())
        {
            return wrong(
                "the bucket's name (AWS_EMAIL_BUCKET_NAME, AWS_INDEXER_BUCKET_NAME) is none: 3 to 63 letters, digits, \
                 dots and hyphens",
            );
        }
        if !visible(&self.access_key_id) || self.access_key_id.contains(['/', ',']) {
            return wrong("AWS_ACCESS_KEY_ID is empty or holds what no key id does");
        }
        if self.secret_access_key.is_empty() {
            return wrong("AWS_SECRET_ACCESS_KEY is empty");
        }
        if self.session_token.as_deref().is_some_and(|token| !visible(token)) {
            return wrong("AWS_SESSION_TOKEN holds what no token does: is there a blank or a line break in it?");
        }
        let is_region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.region.is_empty() || !self.region.bytes().all(is_region) {
            return wrong("AWS_DEFAULT_REGION is no region, such as `eu-west-1`");
        }
        Ok(())
    }
}

impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the endpoint as it was given: somebody may have put a password there.
        f.debug_struct("S3Options")
            .field("bucket", &self.bucket)
            .field("region", &self.region)
            .field("has_endpoint", &self.endpoint.is_some())
            .field("addressing", &self.addressing)
            .field("has_session_token", &self.session_token.is_some())
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> S3Options {
        S3Options::new("bucket", "id", "canary")
    }

    #[test]
    fn what_cannot_be_signed_is_told_by_its_setting_and_not_shown() {
        assert!(options().session_token("abc+/=").check().is_ok());
        for (options, says) in [
            (S3Options::new("a/b", "id", "canary"), "bucket"),
            (S3Options::new("..", "id", "canary"), "bucket"),
            (S3Options::new("-a-", "id", "canary"), "bucket"),
            (S3Options::new("bucket", "", "canary"), "AWS_ACCESS_KEY_ID"),
            (S3Options::new("bucket", "canary\nx", "canary"), "AWS_ACCESS_KEY_ID"),
            (S3Options::new("bucket", "id", ""), "AWS_SECRET_ACCESS_KEY"),
            (options().session_token("canary canary"), "AWS_SESSION_TOKEN"),
            (options().region("canary\r\n"), "AWS_DEFAULT_REGION"),
            (options().region(""), "AWS_DEFAULT_REGION"),
        ] {
            let Err(Error::Config { why }) = options.check() else { panic!("{says} was accepted") };
            assert!(why.contains(says) && !why.contains("canary"), "{why}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let options = options().session_token("canary").endpoint("http://canary:canary@h").ca_bundle("canary");
        assert!(!format!("{options:?} {options:#?}").contains("canary"));
    }
}
