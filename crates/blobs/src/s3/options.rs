//! The options of a blob store in S3: the bucket, the credentials, the server.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use zc_events_protocol::{Clock, SystemClock};

use crate::{Error, MAX_BYTES, Result};

/// The options of an [`S3BlobStore`](super::S3BlobStore). `Debug` shows neither the secret key nor the token.
///
/// ```
/// use zc_events_blobs::{Addressing, S3BlobStore, S3Options};
/// let options = S3Options::new("blobs", "minio", "the secret")
///     .endpoint("http://127.0.0.1:9000")
///     .addressing(Addressing::Path);
/// assert!(!format!("{options:?}").contains("the secret"));
/// let store = S3BlobStore::new(options)?; // does not connect yet
/// # Ok::<(), zc_events_blobs::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "options do nothing until a store is created with them"]
pub struct S3Options {
    pub(super) bucket: String,
    bucket_setting: Option<String>,
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
    /// `auto`: in the path if an endpoint is set or the bucket's name contains a dot (certificates do not cover dots);
    /// otherwise in the host.
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
            _ => Err(Error::config("AWS_S3_ADDRESSING_STYLE must be `auto` (the default), `path` or `virtual`")),
        }
    }
}

impl S3Options {
    /// A bucket, and the credentials for it: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    pub fn new(
        bucket: impl Into<String>,
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
    ) -> Self {
        Self {
            bucket: bucket.into(),
            bucket_setting: None,
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

    /// Sets the name of the setting that names the bucket. Errors mention it.
    pub fn bucket_setting(mut self, name: impl Into<String>) -> Self {
        self.bucket_setting = Some(name.into());
        self
    }

    /// Sets `AWS_SESSION_TOKEN`, which belongs to temporary credentials.
    pub fn session_token(mut self, token: impl Into<String>) -> Self {
        self.session_token = Some(token.into());
        self
    }

    /// Sets `AWS_DEFAULT_REGION`, the region of the bucket; `us-east-1` by default.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// Sets `AWS_ENDPOINT_URL`, the URL of a compatible server: `https://host:port` or `http://host:port`. AWS by default.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Sets `AWS_S3_ADDRESSING_STYLE`, how a request names its bucket; [`Addressing::Auto`] by default.
    pub fn addressing(mut self, addressing: Addressing) -> Self {
        self.addressing = addressing;
        self
    }

    /// Sets `AWS_CA_BUNDLE`, a file with CA certificates in PEM format; Mozilla's root certificates by default. The file is
    /// read once, by [`S3BlobStore::new`](super::S3BlobStore::new).
    pub fn ca_bundle(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_bundle = Some(path.into());
        self
    }

    /// Sets the largest blob that the store accepts or returns, in bytes; [`MAX_BYTES`] by default.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets the clock that deadlines are measured with and requests are dated with; the system clock by default.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Refuses options that cannot be signed or sent. `endpoint` checks the endpoint.
    pub(super) fn check(&self) -> Result<()> {
        let visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let wrong = |why: &str| Err(Error::config(why));
        if !(3..=63).contains(&self.bucket.len())
            || !self.bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
            || !self.bucket.starts_with(|c: char| c.is_ascii_alphanumeric())
        {
            let setting = self.bucket_hint();
            return wrong(&format!(
                "the name of the bucket{setting} is invalid: use 3 to 63 letters, digits, dots and hyphens"
            ));
        }
        if !visible(&self.access_key_id) || self.access_key_id.contains(['/', ',']) {
            return wrong("AWS_ACCESS_KEY_ID is empty or contains an invalid character");
        }
        if self.secret_access_key.is_empty() {
            return wrong("AWS_SECRET_ACCESS_KEY is empty");
        }
        if self.session_token.as_deref().is_some_and(|token| !visible(token)) {
            return wrong("AWS_SESSION_TOKEN contains a space, a line break or another invalid character");
        }
        let is_region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.region.is_empty() || !self.region.bytes().all(is_region) {
            return wrong("AWS_DEFAULT_REGION is not a valid region: use one such as `eu-west-1`");
        }
        Ok(())
    }

    /// The setting that names the bucket, as the end of an error: ` (AWS_EMAIL_BUCKET_NAME)`, or nothing.
    pub(super) fn bucket_hint(&self) -> String {
        self.bucket_setting.as_deref().map(|setting| format!(" ({setting})")).unwrap_or_default()
    }
}

impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The endpoint is not shown: it may contain a password by mistake.
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
    fn the_error_names_the_setting_of_an_invalid_option_and_not_its_value() {
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
