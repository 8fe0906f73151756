//! Which store the settings mean. It is opened when it is first needed, so that a program that stores nothing needs no
//! settings for it, and wrong ones do not keep it from starting.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::{ContentStore, FolderStore, MemoryStore};
use crate::settings::{ContentPlace, ContentSettings};
use crate::{Error, Result, Settings};

/// What is stored: each in a bucket of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bucket {
    /// Bodies and attachments of e-mails.
    Email,
    /// Batches of index rebuilds.
    Index,
}

/// The stores that a client has opened so far.
#[derive(Default)]
pub(crate) struct Opened(Mutex<[Option<Arc<dyn ContentStore>>; 2]>);

impl Opened {
    /// The store of a bucket, always the same.
    pub(crate) fn get(&self, bucket: Bucket, settings: &Settings) -> Result<Arc<dyn ContentStore>> {
        let mut stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut stores[bucket as usize];
        if let Some(store) = slot {
            return Ok(Arc::clone(store));
        }
        let store = open(bucket, settings)?;
        Ok(Arc::clone(slot.insert(store)))
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}

fn open(bucket: Bucket, settings: &Settings) -> Result<Arc<dyn ContentStore>> {
    let contents = &settings.contents;
    let name = match bucket {
        Bucket::Email => &contents.email_bucket,
        Bucket::Index => contents.indexer_bucket.as_ref().ok_or_else(|| {
            Error::config(
                "AWS_INDEXER_BUCKET_NAME is not set: the batches of an index rebuild are stored in that bucket",
            )
        })?,
    };
    let clock = Arc::clone(&settings.clock);
    Ok(match &contents.place {
        Some(ContentPlace::Memory { name: shared }) => {
            let store = match shared {
                Some(shared) => MemoryStore::in_bucket(shared, name),
                None => MemoryStore::new(),
            };
            Arc::new(store.clock(clock).limit(contents.max_bytes))
        }
        Some(ContentPlace::Folder(folder)) => {
            Arc::new(FolderStore::new(folder.join(name)).clock(clock).limit(contents.max_bytes))
        }
        Some(ContentPlace::S3) => open_s3(name, contents, clock)?,
        None if contents.access_key_id.is_some() => open_s3(name, contents, clock)?,
        None => {
            return Err(Error::config(
                "there is no content store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as the Python services have \
                 them, or EVENTS_CONTENT_URL to file:///folder, or hand a store over, as with `send_email_with`",
            ));
        }
    })
}

#[cfg(feature = "s3")]
fn open_s3(
    bucket: &str,
    contents: &ContentSettings,
    clock: Arc<dyn zc_events_protocol::Clock>,
) -> Result<Arc<dyn ContentStore>> {
    let required = |value: &Option<String>, name: &str| {
        value.clone().ok_or_else(|| {
            Error::config(format!("{name} is not set: S3 takes contents only from those who sign with it"))
        })
    };
    let mut options = super::S3Options::new(
        bucket,
        required(&contents.access_key_id, "AWS_ACCESS_KEY_ID")?,
        required(&contents.s3.secret_access_key, "AWS_SECRET_ACCESS_KEY")?,
    )
    .limit(contents.max_bytes)
    .clock(clock);
    if let Some(token) = &contents.s3.session_token {
        options = options.session_token(token);
    }
    if let Some(region) = &contents.s3.region {
        options = options.region(region);
    }
    if let Some(endpoint) = &contents.s3.endpoint {
        options = options.endpoint(endpoint);
    }
    if let Some(style) = &contents.s3.addressing {
        options = options.addressing(style.parse()?);
    }
    if let Some(path) = &contents.s3.ca_bundle {
        options = options.ca_bundle(path);
    }
    Ok(Arc::new(super::S3Store::new(options)?))
}

#[cfg(not(feature = "s3"))]
fn open_s3(_: &str, _: &ContentSettings, _: Arc<dyn zc_events_protocol::Clock>) -> Result<Arc<dyn ContentStore>> {
    Err(Error::config(
        "this program was built without S3: enable the feature `s3` of zc-events, or set EVENTS_CONTENT_URL to \
         file:///folder",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use zc_events_protocol::{Clock, SystemClock};

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let base = [("BROKER_URL", "memory://"), ("STAGING_NAME", "test")];
        Settings::from_lookup(|name| {
            pairs.iter().chain(&base).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
        .unwrap()
    }

    fn refusal(bucket: Bucket, pairs: &[(&str, &str)]) -> String {
        match Opened::default().get(bucket, &settings(pairs)) {
            Err(Error::Config { why }) => why,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("{pairs:?} opened a store"),
        }
    }

    #[test]
    fn without_settings_there_is_no_store_and_that_is_told() {
        let why = refusal(Bucket::Email, &[]);
        assert!(why.contains("AWS_ACCESS_KEY_ID") && why.contains("EVENTS_CONTENT_URL"), "{why}");
        let why = refusal(Bucket::Index, &[("EVENTS_CONTENT_URL", "memory://")]);
        assert!(why.contains("AWS_INDEXER_BUCKET_NAME"), "{why}");
    }

    #[test]
    fn a_client_has_one_store_for_each_bucket() {
        let soon = || SystemClock.deadline(Duration::from_secs(5));
        let settings = settings(&[("EVENTS_CONTENT_URL", "memory://"), ("AWS_INDEXER_BUCKET_NAME", "index")]);
        let opened = Opened::default();
        opened.get(Bucket::Email, &settings).unwrap().put("k", "text/plain", b"v", soon()).unwrap();
        assert!(opened.get(Bucket::Email, &settings).unwrap().get("k", soon()).unwrap().is_some());
        assert!(opened.get(Bucket::Index, &settings).unwrap().get("k", soon()).unwrap().is_none());
        assert!(Opened::default().get(Bucket::Email, &settings).unwrap().get("k", soon()).unwrap().is_none());
    }

    #[test]
    fn buckets_are_folders_where_a_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}", folder.path().display());
        let settings = settings(&[
            ("EVENTS_CONTENT_URL", &url),
            ("AWS_EMAIL_BUCKET_NAME", "post"),
            ("AWS_INDEXER_BUCKET_NAME", "index"),
            ("EVENTS_MAX_CONTENT", "2000"),
            // Of no concern where a folder is named.
            ("AWS_ACCESS_KEY_ID", "id"),
        ]);
        let soon = || SystemClock.deadline(Duration::from_secs(5));
        for (bucket, name) in [(Bucket::Email, "post"), (Bucket::Index, "index")] {
            let store = Opened::default().get(bucket, &settings).unwrap();
            store.put("k", "text/plain", b"v", soon()).unwrap();
            assert_eq!(std::fs::read(folder.path().join(name).join("k")).unwrap(), b"v");
            assert_eq!(store.max_bytes(), 2000);
        }
    }

    #[cfg(not(feature = "s3"))]
    #[test]
    fn without_the_feature_s3_is_refused_and_the_feature_named() {
        let why = refusal(Bucket::Email, &[("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "canary")]);
        assert!(why.contains("feature `s3`") && !why.contains("canary"), "{why}");
    }

    #[cfg(feature = "s3")]
    #[test]
    fn half_of_the_credentials_and_wrong_settings_are_told_by_name_and_without_the_secret() {
        let with = |pairs: &[(&str, &str)]| {
            let credentials =
                [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "canary"), ("AWS_SESSION_TOKEN", "canary")];
            refusal(Bucket::Email, &[pairs, &credentials].concat())
        };
        assert!(refusal(Bucket::Email, &[("AWS_ACCESS_KEY_ID", "id")]).contains("AWS_SECRET_ACCESS_KEY is not set"));
        assert!(refusal(Bucket::Email, &[("EVENTS_CONTENT_URL", "s3://")]).contains("AWS_ACCESS_KEY_ID is not set"));
        for (name, value) in [
            ("AWS_ENDPOINT_URL", "http://canary:canary@h"),
            ("AWS_DEFAULT_REGION", "eu west"),
            ("AWS_S3_ADDRESSING_STYLE", "canary"),
            ("AWS_EMAIL_BUCKET_NAME", "a/b"),
            ("AWS_CA_BUNDLE", "/no/such/file"),
        ] {
            let why = with(&[(name, value)]);
            let told = if name.ends_with("BUCKET_NAME") { "bucket" } else { name };
            assert!(why.contains(told) && !why.contains("canary"), "{why}");
        }
        let opened = Opened::default().get(
            Bucket::Email,
            &settings(&[
                ("AWS_ACCESS_KEY_ID", "id"),
                ("AWS_SECRET_ACCESS_KEY", "k"),
                ("AWS_S3_ADDRESSING_STYLE", "path"),
            ]),
        );
        assert!(opened.is_ok());
    }
}
