//! Opens the blob store that the settings name.

use std::sync::Arc;

use zc_events_protocol::Clock;

use super::blob_settings::{BlobBackend, BlobSettings};
use super::values::Settings;
use crate::blobs::{BlobStore, FolderBlobStore, MemoryBlobStore};
use crate::{Error, Result};

/// What a blob is part of. Each has a bucket of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BlobBucket {
    /// Bodies and attachments of e-mails.
    Email,
    /// Batches of index rebuilds.
    Index,
}

impl BlobBucket {
    /// The setting that names the bucket.
    fn setting(self) -> &'static str {
        match self {
            BlobBucket::Email => "AWS_EMAIL_BUCKET_NAME",
            BlobBucket::Index => "AWS_INDEXER_BUCKET_NAME",
        }
    }

    /// The name of the bucket.
    fn name(self, settings: &BlobSettings) -> Result<&str> {
        match self {
            BlobBucket::Email => Ok(&settings.email_bucket),
            BlobBucket::Index => settings.indexer_bucket.as_deref().ok_or_else(|| {
                Error::config(format!("{} is not set: batches of index rebuilds are stored in it", self.setting()))
            }),
        }
    }
}

impl Settings {
    /// Opens the blob store of a bucket. Does not connect yet.
    pub(crate) fn open_blob_store(&self, bucket: BlobBucket) -> Result<Arc<dyn BlobStore>> {
        let settings = &self.blobs;
        let name = bucket.name(settings)?;
        let clock = Arc::clone(&self.clock);
        Ok(match &settings.backend {
            Some(BlobBackend::Memory { name: shared }) => {
                let store = match shared {
                    Some(shared) => shared_bucket(shared, name),
                    None => MemoryBlobStore::new(),
                };
                Arc::new(store.clock(clock).limit(settings.max_bytes))
            }
            Some(BlobBackend::Folder(folder)) => {
                let store = FolderBlobStore::new(folder.join(name)).setting("EVENTS_CONTENT_URL");
                Arc::new(store.clock(clock).limit(settings.max_bytes))
            }
            Some(BlobBackend::S3) => open_s3(bucket, name, settings, clock)?,
            None if settings.access_key_id.is_some() => open_s3(bucket, name, settings, clock)?,
            None => {
                return Err(Error::config(
                    "no blob store is set: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as for the Python services, or \
                     set EVENTS_CONTENT_URL to file:///folder, or pass a store, for example to `send_email_with`",
                ));
            }
        })
    }
}

/// A bucket of the store that this process shares as `memory://name`.
fn shared_bucket(name: &str, bucket: &str) -> MemoryBlobStore {
    MemoryBlobStore::named(&format!("{name}/{bucket}"))
}

#[cfg(feature = "s3")]
fn open_s3(
    bucket: BlobBucket,
    name: &str,
    settings: &BlobSettings,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn BlobStore>> {
    let required = |value: &Option<String>, name: &str| {
        value.clone().ok_or_else(|| Error::config(format!("{name} is not set: requests to S3 are signed with it")))
    };
    let mut options = crate::blobs::S3Options::new(
        name,
        required(&settings.access_key_id, "AWS_ACCESS_KEY_ID")?,
        required(&settings.s3.secret_access_key, "AWS_SECRET_ACCESS_KEY")?,
    )
    .bucket_setting(bucket.setting())
    .limit(settings.max_bytes)
    .clock(clock);
    if let Some(token) = &settings.s3.session_token {
        options = options.session_token(token);
    }
    if let Some(region) = &settings.s3.region {
        options = options.region(region);
    }
    if let Some(endpoint) = &settings.s3.endpoint {
        options = options.endpoint(endpoint);
    }
    if let Some(style) = &settings.s3.addressing {
        options = options.addressing(style.parse()?);
    }
    if let Some(path) = &settings.s3.ca_bundle {
        options = options.ca_bundle(path);
    }
    Ok(Arc::new(crate::blobs::S3BlobStore::new(options)?))
}

#[cfg(not(feature = "s3"))]
fn open_s3(_: BlobBucket, _: &str, _: &BlobSettings, _: Arc<dyn Clock>) -> Result<Arc<dyn BlobStore>> {
    Err(Error::config(
        "this program was built without S3: enable the feature `s3` of zc-events, or set EVENTS_CONTENT_URL to \
         file:///folder",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use zc_events_protocol::SystemClock;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let base = [("BROKER_URL", "memory://"), ("STAGING_NAME", "test")];
        Settings::from_lookup(|name| {
            pairs.iter().chain(&base).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
        .unwrap()
    }

    fn refusal(bucket: BlobBucket, pairs: &[(&str, &str)]) -> String {
        match settings(pairs).open_blob_store(bucket) {
            Err(Error::Config { why }) => why,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("{pairs:?} opened a store"),
        }
    }

    #[test]
    fn without_settings_the_error_says_what_to_set() {
        let why = refusal(BlobBucket::Email, &[]);
        assert!(why.contains("AWS_ACCESS_KEY_ID") && why.contains("EVENTS_CONTENT_URL"), "{why}");
        let why = refusal(BlobBucket::Index, &[("EVENTS_CONTENT_URL", "memory://")]);
        assert!(why.contains("AWS_INDEXER_BUCKET_NAME"), "{why}");
    }

    #[test]
    fn buckets_are_folders_of_a_folder_store() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}", folder.path().display());
        let settings = settings(&[
            ("EVENTS_CONTENT_URL", &url),
            ("AWS_EMAIL_BUCKET_NAME", "post"),
            ("AWS_INDEXER_BUCKET_NAME", "index"),
            ("EVENTS_MAX_CONTENT", "2000"),
            // Ignored, because a folder is set.
            ("AWS_ACCESS_KEY_ID", "id"),
        ]);
        let soon = || SystemClock.deadline(Duration::from_secs(5));
        for (bucket, name) in [(BlobBucket::Email, "post"), (BlobBucket::Index, "index")] {
            let store = settings.open_blob_store(bucket).unwrap();
            store.put("k", "text/plain", b"v", soon()).unwrap();
            assert_eq!(std::fs::read(folder.path().join(name).join("k")).unwrap(), b"v");
            assert_eq!(store.max_bytes(), 2000);
        }
    }

    #[cfg(not(feature = "s3"))]
    #[test]
    fn without_the_feature_s3_the_error_names_the_feature() {
        let why = refusal(BlobBucket::Email, &[("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "canary")]);
        assert!(why.contains("feature `s3`") && !why.contains("canary"), "{why}");
    }

    #[cfg(feature = "s3")]
    #[test]
    fn a_wrong_setting_of_s3_is_named_and_no_secret_is_shown() {
        let with = |pairs: &[(&str, &str)]| {
            let credentials =
                [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "canary"), ("AWS_SESSION_TOKEN", "canary")];
            refusal(BlobBucket::Email, &[pairs, &credentials].concat())
        };
        let half = refusal(BlobBucket::Email, &[("AWS_ACCESS_KEY_ID", "id")]);
        assert!(half.contains("AWS_SECRET_ACCESS_KEY is not set"), "{half}");
        let none = refusal(BlobBucket::Email, &[("EVENTS_CONTENT_URL", "s3://")]);
        assert!(none.contains("AWS_ACCESS_KEY_ID is not set"), "{none}");
        for (name, value) in [
            ("AWS_ENDPOINT_URL", "http://canary:canary@h"),
            ("AWS_DEFAULT_REGION", "eu west"),
            ("AWS_S3_ADDRESSING_STYLE", "canary"),
            ("AWS_EMAIL_BUCKET_NAME", "a/b"),
            ("AWS_CA_BUNDLE", "/no/such/file"),
        ] {
            let why = with(&[(name, value)]);
            assert!(why.contains(name) && !why.contains("canary"), "{why}");
        }
        let right = settings(&[
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "k"),
            ("AWS_S3_ADDRESSING_STYLE", "path"),
        ]);
        assert!(right.open_blob_store(BlobBucket::Email).is_ok());
    }
}
