//! The settings of the blob store: where bodies of e-mails and batches of index rebuilds are stored. The names that start
//! with `AWS_` are those of the Python services and of AWS's own programs. Other parts of a program may use these variables
//! too, so they are checked only when a blob store is opened.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::check::{bytes, seconds};
use crate::blobs::MAX_BYTES;
use crate::{Error, Result};

/// The bucket of e-mails that the Python services have built in.
const EMAIL_BUCKET: &str = "zc-mp-email";

/// Where blobs are stored, and with which credentials. `Debug` shows no credentials.
#[derive(Clone)]
pub(crate) struct BlobSettings {
    /// `None` if the setting is missing: S3, if there are credentials.
    pub(crate) backend: Option<BlobBackend>,
    pub(crate) email_bucket: String,
    pub(crate) indexer_bucket: Option<String>,
    pub(crate) access_key_id: Option<String>,
    #[cfg_attr(not(feature = "s3"), allow(dead_code, reason = "read by S3 only"))]
    pub(crate) s3: S3Settings,
    pub(crate) timeout: Duration,
    pub(crate) max_bytes: usize,
}

/// The settings of S3 alone, unchecked.
#[derive(Clone, Default)]
#[cfg_attr(not(feature = "s3"), allow(dead_code, reason = "read by S3 only"))]
pub(crate) struct S3Settings {
    pub(crate) secret_access_key: Option<String>,
    pub(crate) session_token: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) addressing: Option<String>,
    pub(crate) ca_bundle: Option<PathBuf>,
}

/// The kind of store that `EVENTS_CONTENT_URL` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BlobBackend {
    S3,
    Folder(PathBuf),
    Memory { name: Option<String> },
}

impl fmt::Debug for BlobSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobSettings")
            .field("backend", &self.backend)
            .field("email_bucket", &self.email_bucket)
            .field("indexer_bucket", &self.indexer_bucket)
            .field("has_access_key_id", &self.access_key_id.is_some())
            .field("timeout", &self.timeout)
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}

/// The unchecked values.
#[derive(Clone, Default)]
pub(super) struct BlobSettingsBuilder {
    pub(super) url: Option<String>,
    pub(super) email_bucket: Option<String>,
    pub(super) indexer_bucket: Option<String>,
    pub(super) access_key_id: Option<String>,
    pub(super) secret_access_key: Option<String>,
    pub(super) session_token: Option<String>,
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) addressing: Option<String>,
    pub(super) ca_bundle: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) max_content: Option<String>,
}

impl BlobSettingsBuilder {
    pub(super) fn read(&mut self, take: impl Fn(&mut Option<String>, &str)) {
        take(&mut self.url, "EVENTS_CONTENT_URL");
        take(&mut self.email_bucket, "AWS_EMAIL_BUCKET_NAME");
        take(&mut self.indexer_bucket, "AWS_INDEXER_BUCKET_NAME");
        take(&mut self.access_key_id, "AWS_ACCESS_KEY_ID");
        take(&mut self.secret_access_key, "AWS_SECRET_ACCESS_KEY");
        take(&mut self.session_token, "AWS_SESSION_TOKEN");
        take(&mut self.region, "AWS_DEFAULT_REGION");
        take(&mut self.endpoint, "AWS_ENDPOINT_URL");
        take(&mut self.addressing, "AWS_S3_ADDRESSING_STYLE");
        take(&mut self.ca_bundle, "AWS_CA_BUNDLE");
        take(&mut self.timeout, "EVENTS_CONTENT_TIMEOUT");
        take(&mut self.max_content, "EVENTS_MAX_CONTENT");
    }

    pub(super) fn build(self) -> Result<BlobSettings> {
        Ok(BlobSettings {
            backend: self.url.as_deref().map(backend).transpose()?,
            email_bucket: self.email_bucket.unwrap_or_else(|| EMAIL_BUCKET.to_owned()),
            indexer_bucket: self.indexer_bucket,
            access_key_id: self.access_key_id,
            s3: S3Settings {
                secret_access_key: self.secret_access_key,
                session_token: self.session_token,
                region: self.region,
                endpoint: self.endpoint,
                addressing: self.addressing,
                ca_bundle: self.ca_bundle.map(PathBuf::from),
            },
            timeout: seconds("EVENTS_CONTENT_TIMEOUT", self.timeout, 60, None)?,
            max_bytes: bytes("EVENTS_MAX_CONTENT", self.max_content.as_deref(), MAX_BYTES)?,
        })
    }
}

fn backend(url: &str) -> Result<BlobBackend> {
    if let Some(path) = url.strip_prefix("file://") {
        let path = PathBuf::from(path);
        return if path.is_absolute() { Ok(BlobBackend::Folder(path)) } else { Err(wrong()) };
    }
    if let Some(name) = url.strip_prefix("memory://") {
        let name = name.trim_end_matches('/');
        return Ok(BlobBackend::Memory { name: (!name.is_empty()).then(|| name.to_owned()) });
    }
    if url == "s3://" { Ok(BlobBackend::S3) } else { Err(wrong()) }
}

fn wrong() -> Error {
    Error::config(
        "EVENTS_CONTENT_URL is not a blob store: use s3:// (bucket, server and credentials are set with AWS_..), \
         file:///folder, memory:// or memory://name",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    const ALL: [(&str, &str); 12] = [
        ("EVENTS_CONTENT_URL", "file:///var/contents"),
        ("EVENTS_CONTENT_TIMEOUT", "2.5"),
        ("EVENTS_MAX_CONTENT", "2000"),
        ("AWS_EMAIL_BUCKET_NAME", "post"),
        ("AWS_INDEXER_BUCKET_NAME", "index"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "canary"),
        ("AWS_SESSION_TOKEN", "canary-token"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", "http://canary@h"),
        ("AWS_S3_ADDRESSING_STYLE", "path"),
        ("AWS_CA_BUNDLE", "/etc/ca.pem"),
    ];

    fn read(pairs: &[(&str, &str)]) -> Result<BlobSettings> {
        let mut builder = BlobSettingsBuilder::default();
        builder.read(|slot, name| {
            *slot = pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        });
        builder.build()
    }

    fn assert_all(settings: &BlobSettings) {
        assert_eq!(settings.backend, Some(BlobBackend::Folder("/var/contents".into())));
        assert_eq!((settings.timeout, settings.max_bytes), (Duration::from_millis(2500), 2000));
        assert_eq!((settings.email_bucket.as_str(), settings.indexer_bucket.as_deref()), ("post", Some("index")));
        assert_eq!(settings.access_key_id.as_deref(), Some("id"));
        let s3 = &settings.s3;
        assert_eq!(s3.secret_access_key.as_deref(), Some("canary"));
        assert_eq!(s3.session_token.as_deref(), Some("canary-token"));
        assert_eq!((s3.region.as_deref(), s3.addressing.as_deref()), (Some("eu-west-1"), Some("path")));
        assert_eq!(s3.endpoint.as_deref(), Some("http://canary@h"));
        assert_eq!(s3.ca_bundle.as_deref(), Some(std::path::Path::new("/etc/ca.pem")));
    }

    #[test]
    fn every_setting_has_a_variable_and_a_method() {
        assert_all(&read(&ALL).unwrap());
        let settings = Settings::builder()
            .broker_url("memory://")
            .staging_name("test")
            .events_content_url("file:///var/contents")
            .events_content_timeout(Duration::from_millis(2500))
            .events_max_content(2000)
            .aws_email_bucket_name("post")
            .aws_indexer_bucket_name("index")
            .aws_access_key_id("id")
            .aws_secret_access_key("canary")
            .aws_session_token("canary-token")
            .aws_default_region("eu-west-1")
            .aws_endpoint_url("http://canary@h")
            .aws_s3_addressing_style("path")
            .aws_ca_bundle("/etc/ca.pem")
            .build()
            .unwrap();
        assert_all(&settings.blobs);
        assert!(!format!("{settings:?} {:?}", settings.blobs).contains("canary"));
    }

    #[test]
    fn the_defaults_are_those_of_the_python_services() {
        let settings = read(&[]).unwrap();
        assert_eq!((settings.backend, settings.email_bucket.as_str()), (None, "zc-mp-email"));
        assert_eq!((settings.timeout, settings.max_bytes), (Duration::from_secs(60), 64 << 20));
    }

    #[test]
    fn the_url_names_the_backend_and_a_wrong_one_is_not_shown() {
        let of = |url| read(&[("EVENTS_CONTENT_URL", url)]).map(|settings| settings.backend.unwrap());
        assert_eq!(of("s3://").unwrap(), BlobBackend::S3);
        assert_eq!(of("memory://").unwrap(), BlobBackend::Memory { name: None });
        assert_eq!(of("memory://test/").unwrap(), BlobBackend::Memory { name: Some("test".to_owned()) });
        for url in ["canary", "s3://canary", "file://canary", "file://", "http://canary@h"] {
            let Err(Error::Config { why }) = of(url) else { panic!("{url} was accepted") };
            assert!(why.contains("EVENTS_CONTENT_URL") && !why.contains("canary"), "{why}");
        }
        for (name, value) in [("EVENTS_CONTENT_TIMEOUT", "0"), ("EVENTS_MAX_CONTENT", "1")] {
            assert!(read(&[(name, value)]).unwrap_err().to_string().contains(name));
        }
    }
}
