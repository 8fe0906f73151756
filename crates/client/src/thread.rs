//! Starting threads.

use std::io;
use std::thread::{Builder, JoinHandle};

use zc_events_protocol::Outcome;

use crate::{Error, Result};

/// Starts a thread of this name.
pub(crate) fn spawn<T: Send + 'static>(
    name: impl Into<String>,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    Builder::new().name(name.into()).spawn(run).map_err(no_resource)
}

/// The system has no thread or no signal for this program.
pub(crate) fn no_resource(error: io::Error) -> Error {
    Error::Unavailable {
        what: "the system gives us no thread or no signal".to_owned(),
        outcome: Outcome::NotSent,
        source: Some(Box::new(error)),
    }
}
