//! Blobs in S3 and in compatible servers: the calls, as requests and responses. The address of a bucket is in `endpoint`,
//! the signature in `sign`, sending in `http`, and the meaning of an error response in `error_mapping`.

mod endpoint;
mod error_mapping;
mod http;
mod options;
mod request;
mod response;
mod sign;

use std::fmt;

use zc_events_protocol::Deadline;

use crate::store::{check_deadline, check_size};
use crate::{BlobStore, Error, Result, key};
use http::S3Client;
use request::S3Request;
use response::S3Response;

pub use options::{Addressing, S3Options};

/// A blob store in a bucket of S3 or of a compatible server. With the feature `s3`. Clones share the connections, which are
/// opened when they are needed.
///
/// Requests are signed in their headers (Signature Version 4) including their body, and use HTTPS unless the endpoint says
/// `http`. `HTTPS_PROXY` and similar variables are respected. After a transient failure (a lost connection, a status of 429,
/// 500, 502, 503 or 504) a call is repeated, up to three times altogether and until its deadline.
///
/// The secret key never leaves this process. At the log level `trace` the target `ureq_proto` shows whole requests, with
/// their bodies, signatures and session token: turn it off.
///
/// ```no_run
/// use std::time::Duration;
/// use zc_events_blobs::{BlobStore, S3BlobStore, S3Options};
/// use zc_events_protocol::{Clock, SystemClock};
///
/// let options = S3Options::new("zc-mp-email", "AKIAIOSFODNN7EXAMPLE", "the secret").region("eu-west-1");
/// let store = S3BlobStore::new(options)?;
/// let deadline = SystemClock.deadline(Duration::from_secs(30));
/// store.put("2026-11-23/menu.txt", "text/plain", b"Lunch", deadline)?;
/// # Ok::<(), zc_events_blobs::Error>(())
/// ```
///
/// # Errors
/// In addition to those of [`BlobStore`]: [`Error::Rejected`] names the status, S3's error code and the setting to check.
/// A missing blob is `None` only if the credentials may list the bucket; otherwise AWS says `AccessDenied`.
#[derive(Clone)]
pub struct S3BlobStore {
    client: S3Client,
}

impl S3BlobStore {
    /// Creates the store. Does not connect yet.
    ///
    /// # Errors
    /// [`Error::Config`]: an option is invalid; the error names its setting.
    pub fn new(options: S3Options) -> Result<Self> {
        Ok(Self { client: S3Client::new(options)? })
    }

    fn send(&self, request: &S3Request<'_>, deadline: Deadline) -> Result<S3Response> {
        key::check(request.key)?;
        check_deadline(self.client.clock(), deadline)?;
        self.client.send(request, deadline)
    }
}

impl BlobStore for S3BlobStore {
    fn put(&self, key: &str, content_type: &str, blob: &[u8], deadline: Deadline) -> Result<()> {
        check_size(key, blob.len(), self.max_bytes())?;
        if content_type.is_empty() || !content_type.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            return Err(Error::rejected(format!(
                "the content type of {} is invalid: use one such as text/plain",
                key::shown(key)
            )));
        }
        let request = S3Request { method: "PUT", action: "store", key, content_type: Some(content_type), body: blob };
        let response = self.send(&request, deadline)?;
        if response.is_success() { Ok(()) } else { Err(self.client.refused(&request, &response)) }
    }

    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Vec<u8>>> {
        let request = S3Request { method: "GET", action: "return", key, content_type: None, body: &[] };
        let response = self.send(&request, deadline)?;
        match response.status {
            200 => Ok(Some(response.body)),
            404 if response.is_missing_key() => Ok(None),
            _ => Err(self.client.refused(&request, &response)),
        }
    }

    fn delete(&self, key: &str, deadline: Deadline) -> Result<()> {
        let request = S3Request { method: "DELETE", action: "delete", key, content_type: None, body: &[] };
        let response = self.send(&request, deadline)?;
        if response.is_success() || response.status == 404 && response.is_missing_key() {
            return Ok(());
        }
        Err(self.client.refused(&request, &response))
    }

    fn max_bytes(&self) -> usize {
        self.client.max_bytes()
    }
}

impl fmt::Debug for S3BlobStore {
    /// Shows the bucket and the region; no credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3BlobStore").field("options", self.client.options()).finish_non_exhaustive()
    }
}
