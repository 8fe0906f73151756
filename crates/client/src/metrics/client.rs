//! What callers do, counted: emitting, asking, the connection that both use.

use zc_events_protocol::{Clock, Stage};

use super::facade::{Label, Since, count, observe, set};
use super::{BLOCKED, CONNECTED, EMITTED, PUBLISH, REQUEST, REQUESTS, REQUESTS_SENT, SENT_BYTES};
use crate::Error;

/// What has become of something that nobody waited for.
const UNAWAITED: &str = "unawaited";

/// An event on its way out. Counted once: when its end is known, or when nobody asks for it any more.
#[derive(Debug)]
pub(crate) struct Emission {
    event_type: Label,
    since: Since,
    is_open: bool,
}

impl Emission {
    pub(crate) fn begin(event_type: &str, clock: &dyn Clock) -> Self {
        Self { event_type: Label::new(event_type), since: Since::now(clock), is_open: true }
    }

    /// It was handed to the broker.
    pub(crate) fn sent(&self, bytes: usize) {
        count(&SENT_BYTES, bytes as u64, &[]);
    }

    pub(crate) fn end<T>(mut self, emitted: &Result<T, Error>, clock: &dyn Clock) {
        match emitted {
            Ok(_) => {
                observe(&PUBLISH, self.since.elapsed(clock), &[]);
                set(&BLOCKED, 0.0, &[]);
                self.count("confirmed");
            }
            Err(error) => {
                if matches!(error, Error::Blocked { .. }) {
                    set(&BLOCKED, 1.0, &[]);
                }
                self.count(kind(error));
            }
        }
    }

    fn count(&mut self, outcome: &'static str) {
        self.is_open = false;
        count(&EMITTED, 1, &[("event_type", self.event_type.as_str()), ("outcome", outcome)]);
    }
}

impl Drop for Emission {
    fn drop(&mut self) {
        if self.is_open {
            self.count(UNAWAITED);
        }
    }
}

/// A request on its way out and back. Counted as an [`Emission`] is.
#[derive(Debug)]
pub(crate) struct Request {
    event_type: Label,
    since: Since,
    is_open: bool,
}

impl Request {
    pub(crate) fn begin(event_type: &str, clock: &dyn Clock) -> Self {
        Self { event_type: Label::new(event_type), since: Since::now(clock), is_open: true }
    }

    /// It was handed to the broker.
    pub(crate) fn sent(&self, bytes: usize) {
        count(&REQUESTS_SENT, 1, &[("event_type", self.event_type.as_str())]);
        count(&SENT_BYTES, bytes as u64, &[]);
    }

    /// It was answered, or not.
    pub(crate) fn end<T>(mut self, ended: &Result<T, Error>, clock: &dyn Clock) {
        self.count(ended.as_ref().err().map_or("answered", kind));
        self.observe(clock);
    }

    pub(crate) fn failed(mut self, error: &Error, clock: &dyn Clock) {
        self.count(kind(error));
        self.observe(clock);
    }

    fn count(&mut self, outcome: &'static str) {
        self.is_open = false;
        count(&REQUESTS, 1, &[("event_type", self.event_type.as_str()), ("outcome", outcome)]);
    }

    fn observe(&self, clock: &dyn Clock) {
        observe(&REQUEST, self.since.elapsed(clock), &[("event_type", self.event_type.as_str())]);
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if self.is_open {
            self.count(UNAWAITED);
        }
    }
}

/// How the connection for publishing is.
pub(crate) fn connection(is_connected: bool, is_blocked: bool) {
    set(&CONNECTED, f64::from(u8::from(is_connected)), &[]);
    set(&BLOCKED, f64::from(u8::from(is_blocked)), &[]);
}

/// A word for an error, from a fixed set.
fn kind(error: &Error) -> &'static str {
    match error {
        Error::Timeout { stage } => match stage {
            Stage::Begin => "timeout_begin",
            Stage::Connect => "timeout_connect",
            Stage::Pool => "timeout_pool",
            Stage::InFlight => "timeout_in_flight",
            Stage::Declare => "timeout_declare",
            Stage::Send => "timeout_send",
            Stage::Confirm => "timeout_confirm",
            Stage::Reply => "timeout_reply",
            Stage::Store => "timeout_store",
            _ => "timeout",
        },
        Error::Unroutable { .. } => "unroutable",
        Error::Nacked { .. } => "nacked",
        Error::Blocked { .. } => "blocked",
        Error::Unavailable { .. } => "unavailable",
        Error::Rejected { .. } => "rejected",
        Error::Remote { .. } | Error::Call { .. } => "remote_error",
        Error::Decode { .. } => "decode",
        Error::Encode { .. } => "encode",
        Error::TooLarge { .. } => "too_large",
        Error::Config { .. } => "config",
        Error::Token { .. } => "token",
        Error::Closed => "closed",
    }
}
