//! Contents in S3, and in servers that speak like it. What is asked and answered is here; where a bucket is, in `place`;
//! how requests are signed, in `sign`, and sent, in `exchange`; what a refusal means, in `failure`.
//!
//! ureq's name may stand in `exchange` only.

mod exchange;
mod failure;
mod options;
mod place;
mod sign;

use std::fmt;

use zc_events_protocol::Deadline;

use super::{ContentStore, fits, in_time, key, rejected};
use crate::Result;
use exchange::{Answer, Ask, Exchange};

pub use options::{Addressing, S3Options};

/// Contents in a bucket of S3, or of a server that speaks like it. With the feature `s3`. Clones share the connections,
/// which are opened when they are needed.
///
/// Requests are signed in their headers (Signature Version 4), with what they carry, and go over HTTPS unless the endpoint
/// says otherwise. `HTTPS_PROXY` and its like are heeded. A call that fails in a way that passes (a lost connection, a
/// status of 429, 500, 502, 503 or 504) is made again, up to three times altogether, while its deadline lasts: storing,
/// getting and deleting the same again does no harm.
///
/// The secret key never leaves this process. At the log level `trace` the target `ureq_proto` shows whole requests, with
/// their contents, signatures and session token: turn it off.
///
/// ```no_run
/// use std::time::Duration;
/// use zc_events::content::{ContentStore, S3Options, S3Store};
/// use zc_events::{Clock, SystemClock};
///
/// let options = S3Options::new("zc-mp-email", "AKIAIOSFODNN7EXAMPLE", "the secret").region("eu-west-1");
/// let store = S3Store::new(options)?;
/// let deadline = SystemClock.deadline(Duration::from_secs(30));
/// store.put("2026-11-23/menu.txt", "text/plain", b"Lunch", deadline)?;
/// # Ok::<(), zc_events::Error>(())
/// ```
///
/// # Errors
/// Of its calls, beside those of [`ContentStore`]: [`Error::Rejected`](crate::Error::Rejected) names the status, S3's code
/// and the setting to look at; a missing content is [`None`] only to those who may list the bucket, others are told
/// `AccessDenied` by AWS.
#[derive(Clone)]
pub struct S3Store {
    exchange: Exchange,
}

impl S3Store {
    /// The store of these options. Connects to nothing yet.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config): an option makes no sense; by the name of its setting.
    pub fn new(options: S3Options) -> Result<Self> {
        Ok(Self { exchange: Exchange::new(options)? })
    }

    fn ask(&self, ask: &Ask<'_>, deadline: Deadline) -> Result<Answer> {
        key::check(ask.key)?;
        in_time(self.exchange.clock(), deadline)?;
        self.exchange.ask(ask, deadline)
    }
}

impl ContentStore for S3Store {
    fn put(&self, key: &str, content_type: &str, content: &[u8], deadline: Deadline) -> Result<()> {
        fits(key, content.len(), self.max_bytes())?;
        if content_type.is_empty() || !content_type.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            return Err(rejected(format!("the content type for {} is none, such as text/plain", key::shown(key))));
        }
        let ask = Ask { method: "PUT", doing: "store", key, content_type: Some(content_type), content };
        let answer = self.ask(&ask, deadline)?;
        if answer.is_success() { Ok(()) } else { Err(self.exchange.refused(&ask, &answer)) }
    }

    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Vec<u8>>> {
        let ask = Ask { method: "GET", doing: "hand out", key, content_type: None, content: &[] };
        let answer = self.ask(&ask, deadline)?;
        match answer.status {
            200 => Ok(Some(answer.content)),
            404 if answer.is_about_the_key() => Ok(None),
            _ => Err(self.exchange.refused(&ask, &answer)),
        }
    }

    fn delete(&self, key: &str, deadline: Deadline) -> Result<()> {
        let ask = Ask { method: "DELETE", doing: "delete", key, content_type: None, content: &[] };
        let answer = self.ask(&ask, deadline)?;
        if answer.is_success() || answer.status == 404 && answer.is_about_the_key() {
            return Ok(());
        }
        Err(self.exchange.refused(&ask, &answer))
    }

    fn max_bytes(&self) -> usize {
        self.exchange.max_bytes()
    }
}

impl fmt::Debug for S3Store {
    /// Where it is; no keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Store").field("options", self.exchange.options()).finish_non_exhaustive()
    }
}
