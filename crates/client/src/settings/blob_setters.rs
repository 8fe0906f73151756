//! The methods of the settings builder for the blob store.

use std::time::Duration;

use super::settings_builder::SettingsBuilder;

/// The blob store. A wrong value of a method `aws_..` is an error only when a blob store is opened.
impl SettingsBuilder {
    /// `EVENTS_CONTENT_URL`: where blobs are stored: `s3://`, `file:///folder`, `memory://` (one store for each client and
    /// its clones) or `memory://name` (shared in the process). S3 by default, if there are credentials.
    pub fn events_content_url(mut self, url: impl Into<String>) -> Self {
        self.blobs.url = Some(url.into());
        self
    }

    /// `EVENTS_CONTENT_TIMEOUT`: how long storing all blobs of an e-mail, or the blob of a batch, may take; 60 s by default.
    pub fn events_content_timeout(mut self, timeout: Duration) -> Self {
        self.blobs.timeout = Some(timeout.as_secs_f64().to_string());
        self
    }

    /// `EVENTS_MAX_CONTENT`: the largest blob that is stored or fetched, in bytes; 64 MiB by default.
    pub fn events_max_content(mut self, bytes: usize) -> Self {
        self.blobs.max_content = Some(bytes.to_string());
        self
    }

    /// `AWS_EMAIL_BUCKET_NAME`: the bucket for e-mails, `zc-mp-email` by default. In other stores than S3, a part of the
    /// store.
    pub fn aws_email_bucket_name(mut self, name: impl Into<String>) -> Self {
        self.blobs.email_bucket = Some(name.into());
        self
    }

    /// `AWS_INDEXER_BUCKET_NAME`: the bucket for index rebuilds. In other stores than S3, a part of the store.
    pub fn aws_indexer_bucket_name(mut self, name: impl Into<String>) -> Self {
        self.blobs.indexer_bucket = Some(name.into());
        self
    }

    /// `AWS_ACCESS_KEY_ID`: the id of the credentials.
    pub fn aws_access_key_id(mut self, id: impl Into<String>) -> Self {
        self.blobs.access_key_id = Some(id.into());
        self
    }

    /// `AWS_SECRET_ACCESS_KEY`: the secret of the credentials. Never shown.
    pub fn aws_secret_access_key(mut self, key: impl Into<String>) -> Self {
        self.blobs.secret_access_key = Some(key.into());
        self
    }

    /// `AWS_SESSION_TOKEN`: the token of temporary credentials. Never shown.
    pub fn aws_session_token(mut self, token: impl Into<String>) -> Self {
        self.blobs.session_token = Some(token.into());
        self
    }

    /// `AWS_DEFAULT_REGION`: the region of the buckets, `us-east-1` by default.
    pub fn aws_default_region(mut self, region: impl Into<String>) -> Self {
        self.blobs.region = Some(region.into());
        self
    }

    /// `AWS_ENDPOINT_URL`: a server that is compatible with S3, `https://host:port`; AWS by default.
    pub fn aws_endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.blobs.endpoint = Some(url.into());
        self
    }

    /// `AWS_S3_ADDRESSING_STYLE`: `path`, `virtual` or `auto`. `auto` is the default: `path` if an endpoint is set.
    pub fn aws_s3_addressing_style(mut self, style: impl Into<String>) -> Self {
        self.blobs.addressing = Some(style.into());
        self
    }

    /// `AWS_CA_BUNDLE`: a file with CA certificates in PEM format; Mozilla's root certificates by default.
    pub fn aws_ca_bundle(mut self, path: impl Into<String>) -> Self {
        self.blobs.ca_bundle = Some(path.into());
        self
    }
}
