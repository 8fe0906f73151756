//! The settings of contents: where bodies of e-mails and batches of index rebuilds are stored. Those that begin with
//! `AWS_` are named as the Python services and AWS's own programs have them; since other parts of a program may have them
//! for purposes of their own, they are looked at only when something is to be stored.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::SettingsBuilder;
use super::check::{bytes, seconds};
use crate::content::{EMAIL_BUCKET, MAX_BYTES};
use crate::{Error, Result};

/// Where contents are stored, and by whom. `Debug` shows no credentials.
#[derive(Clone)]
pub(crate) struct ContentSettings {
    /// `None` where it was not said: S3, if there are credentials.
    pub(crate) place: Option<ContentPlace>,
    pub(crate) email_bucket: String,
    pub(crate) indexer_bucket: Option<String>,
    pub(crate) access_key_id: Option<String>,
    #[cfg_attr(not(feature = "s3"), allow(dead_code, reason = "read by S3 only"))]
    pub(crate) s3: S3Settings,
    pub(crate) timeout: Duration,
    pub(crate) max_bytes: usize,
}

/// What is of concern where that is S3, unchecked.
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

/// Where contents are, by `EVENTS_CONTENT_URL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ContentPlace {
    S3,
    Folder(PathBuf),
    Memory { name: Option<String> },
}

impl fmt::Debug for ContentSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentSettings")
            .field("place", &self.place)
            .field("email_bucket", &self.email_bucket)
            .field("indexer_bucket", &self.indexer_bucket)
            .field("has_access_key_id", &self.access_key_id.is_some())
            .field("timeout", &self.timeout)
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}

/// The same in the making.
#[derive(Clone, Default)]
pub(super) struct ContentBuilder {
    url: Option<String>,
    email_bucket: Option<String>,
    indexer_bucket: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    session_token: Option<String>,
    region: Option<String>,
    endpoint: Option<String>,
    addressing: Option<String>,
    ca_bundle: Option<String>,
    timeout: Option<String>,
    max_content: Option<String>,
}

impl ContentBuilder {
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

    pub(super) fn build(self) -> Result<ContentSettings> {
        Ok(ContentSettings {
            place: self.url.as_deref().map(place).transpose()?,
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

fn place(url: &str) -> Result<ContentPlace> {
    if let Some(path) = url.strip_prefix("file://") {
        let path = PathBuf::from(path);
        return if path.is_absolute() { Ok(ContentPlace::Folder(path)) } else { Err(wrong()) };
    }
    if let Some(name) = url.strip_prefix("memory://") {
        let name = name.trim_end_matches('/');
        return Ok(ContentPlace::Memory { name: (!name.is_empty()).then(|| name.to_owned()) });
    }
    if url == "s3://" { Ok(ContentPlace::S3) } else { Err(wrong()) }
}

fn wrong() -> Error {
    Error::config(
        "EVENTS_CONTENT_URL names no place for contents: use s3:// (the buckets, the server and the credentials have \
         settings of their own, AWS_..), file:///folder, memory:// or memory://name",
    )
}

/// Contents; what is wrong with one that begins with `aws_` is told when something is to be stored.
impl SettingsBuilder {
    /// `EVENTS_CONTENT_URL`: where contents are stored: `s3://`, `file:///folder`, `memory://` (one for each client and its
    /// clones) or `memory://name` (shared in the process). S3 unless set, where there are credentials.
    pub fn events_content_url(mut self, url: impl Into<String>) -> Self {
        self.content.url = Some(url.into());
        self
    }

    /// `EVENTS_CONTENT_TIMEOUT`: how long storing all contents of an e-mail, or those of a batch, may take, 60 s unless set.
    pub fn events_content_timeout(mut self, timeout: Duration) -> Self {
        self.content.timeout = Some(timeout.as_secs_f64().to_string());
        self
    }

    /// `EVENTS_MAX_CONTENT`: the largest content that is stored or fetched, in bytes; 64 MiB unless set.
    pub fn events_max_content(mut self, bytes: usize) -> Self {
        self.content.max_content = Some(bytes.to_string());
        self
    }

    /// `AWS_EMAIL_BUCKET_NAME`: the bucket for e-mails, `zc-mp-email` unless set; with other stores than S3 a part of them.
    pub fn aws_email_bucket_name(mut self, name: impl Into<String>) -> Self {
        self.content.email_bucket = Some(name.into());
        self
    }

    /// `AWS_INDEXER_BUCKET_NAME`: the bucket for index rebuilds; with other stores than S3 a part of them.
    pub fn aws_indexer_bucket_name(mut self, name: impl Into<String>) -> Self {
        self.content.indexer_bucket = Some(name.into());
        self
    }

    /// `AWS_ACCESS_KEY_ID`: who stores.
    pub fn aws_access_key_id(mut self, id: impl Into<String>) -> Self {
        self.content.access_key_id = Some(id.into());
        self
    }

    /// `AWS_SECRET_ACCESS_KEY`: what proves it. Never shown.
    pub fn aws_secret_access_key(mut self, key: impl Into<String>) -> Self {
        self.content.secret_access_key = Some(key.into());
        self
    }

    /// `AWS_SESSION_TOKEN`: goes with credentials that last for a while only. Never shown.
    pub fn aws_session_token(mut self, token: impl Into<String>) -> Self {
        self.content.session_token = Some(token.into());
        self
    }

    /// `AWS_DEFAULT_REGION`: where the buckets are, `us-east-1` unless set.
    pub fn aws_default_region(mut self, region: impl Into<String>) -> Self {
        self.content.region = Some(region.into());
        self
    }

    /// `AWS_ENDPOINT_URL`: a server that speaks like S3, `https://host:port`; AWS's unless set.
    pub fn aws_endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.content.endpoint = Some(url.into());
        self
    }

    /// `AWS_S3_ADDRESSING_STYLE`: `path`, `virtual`, or `auto` unless set: the path where an endpoint is set.
    pub fn aws_s3_addressing_style(mut self, style: impl Into<String>) -> Self {
        self.content.addressing = Some(style.into());
        self
    }

    /// `AWS_CA_BUNDLE`: a file with the certificates of those who vouch for the server, in PEM; Mozilla's unless set.
    pub fn aws_ca_bundle(mut self, path: impl Into<String>) -> Self {
        self.content.ca_bundle = Some(path.into());
        self
    }
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

    fn read(pairs: &[(&str, &str)]) -> Result<ContentSettings> {
        let mut builder = ContentBuilder::default();
        builder.read(|slot, name| {
            *slot = pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        });
        builder.build()
    }

    fn assert_all(settings: &ContentSettings) {
        assert_eq!(settings.place, Some(ContentPlace::Folder("/var/contents".into())));
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
    fn every_setting_is_read_and_has_a_method_that_does_the_same() {
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
        assert_all(&settings.contents);
        assert!(!format!("{settings:?} {:?}", settings.contents).contains("canary"));
    }

    #[test]
    fn nothing_set_means_no_place_and_the_bucket_of_the_python_services() {
        let settings = read(&[]).unwrap();
        assert_eq!((settings.place, settings.email_bucket.as_str()), (None, "zc-mp-email"));
        assert_eq!((settings.timeout, settings.max_bytes), (Duration::from_secs(60), 64 << 20));
    }

    #[test]
    fn places_are_named_by_urls_and_wrong_ones_not_quoted() {
        let of = |url| read(&[("EVENTS_CONTENT_URL", url)]).map(|settings| settings.place.unwrap());
        assert_eq!(of("s3://").unwrap(), ContentPlace::S3);
        assert_eq!(of("memory://").unwrap(), ContentPlace::Memory { name: None });
        assert_eq!(of("memory://test/").unwrap(), ContentPlace::Memory { name: Some("test".to_owned()) });
        for url in ["canary", "s3://canary", "file://canary", "file://", "http://canary@h"] {
            let Err(Error::Config { why }) = of(url) else { panic!("{url} was accepted") };
            assert!(why.contains("EVENTS_CONTENT_URL") && !why.contains("canary"), "{why}");
        }
        for (name, value) in [("EVENTS_CONTENT_TIMEOUT", "0"), ("EVENTS_MAX_CONTENT", "1")] {
            assert!(read(&[(name, value)]).unwrap_err().to_string().contains(name));
        }
    }
}
