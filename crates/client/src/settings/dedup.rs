//! The setting that says where a service remembers completed messages.

use std::fmt;
use std::str::FromStr;

use super::check::shown;
use crate::Error;

/// Where a service remembers completed messages, so that it does not handle a redelivered one again. The setting
/// `EVENTS_DEDUP`.
///
/// ```
/// use zc_events::{Dedup, Settings};
/// let settings = Settings::builder().broker_url("memory://").staging_name("test");
/// assert!(settings.clone().build().is_ok());
/// // Several processes share their memory in the reply store, so there must be one.
/// assert!(settings.clone().events_dedup(Dedup::Store).build().is_err());
/// assert!(settings.events_dedup(Dedup::Store).events_redis_url("memory://").build().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dedup {
    /// `process`: in the memory of this process, until it ends.
    #[default]
    Process,
    /// `store`: in the process, and in the reply store for all processes of the service. This costs one round trip before
    /// each handler and one after it.
    Store,
}

impl fmt::Display for Dedup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dedup::Process => "process",
            Dedup::Store => "store",
        })
    }
}

impl FromStr for Dedup {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "process" => Ok(Dedup::Process),
            "store" => Ok(Dedup::Store),
            _ => Err(Error::config(format!(
                "EVENTS_DEDUP is {}: use `process` (the default) or `store` (needs EVENTS_REDIS_URL)",
                shown(text)
            ))),
        }
    }
}
