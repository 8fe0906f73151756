//! Messages on their way out, until their end is told to the observers. Each is told once: when its end is known, or when
//! the caller drops it without waiting.

use std::time::{Duration, Instant};

use zc_events_protocol::Clock;

use super::{EmitEnded, MessageSent, Observers, RequestEnded};
use crate::Error;

/// An event or a notification on its way out.
#[derive(Debug)]
pub(crate) struct TrackedEmit(Option<Tracked>);

/// A request or a call on its way out and back.
#[derive(Debug)]
pub(crate) struct TrackedRequest(Option<Tracked>);

/// What is told at the end; nothing is kept where there is no observer.
#[derive(Debug)]
struct Tracked {
    observers: Observers,
    event_type: String,
    since: Instant,
}

impl Tracked {
    fn begin(observers: &Observers, event_type: &str, clock: &dyn Clock) -> Option<Self> {
        let tracked = || Self { observers: observers.clone(), event_type: event_type.to_owned(), since: clock.now() };
        (!observers.is_empty()).then(tracked)
    }

    fn sent(&self, bytes: usize) -> MessageSent<'_> {
        MessageSent { event_type: &self.event_type, bytes }
    }

    fn took(&self, clock: &dyn Clock) -> Duration {
        clock.now().saturating_duration_since(self.since)
    }
}

impl TrackedEmit {
    pub(crate) fn begin(observers: &Observers, event_type: &str, clock: &dyn Clock) -> Self {
        Self(Tracked::begin(observers, event_type, clock))
    }

    /// It was handed to the broker.
    pub(crate) fn sent(&self, bytes: usize) {
        if let Some(tracked) = &self.0 {
            tracked.observers.tell(|observer| observer.emit_sent(&tracked.sent(bytes)));
        }
    }

    /// It was confirmed, or failed.
    pub(crate) fn end<T>(mut self, emitted: Result<T, &Error>, clock: &dyn Clock) {
        if let Some(tracked) = self.0.take() {
            Self::tell(&tracked, tracked.took(clock), emitted.map(|_| true));
        }
    }

    fn tell(tracked: &Tracked, took: Duration, result: Result<bool, &Error>) {
        let ended = EmitEnded { event_type: &tracked.event_type, took, result };
        tracked.observers.tell(|observer| observer.emit_ended(&ended));
    }
}

impl Drop for TrackedEmit {
    fn drop(&mut self) {
        if let Some(tracked) = self.0.take() {
            Self::tell(&tracked, Duration::ZERO, Ok(false));
        }
    }
}

impl TrackedRequest {
    pub(crate) fn begin(observers: &Observers, event_type: &str, clock: &dyn Clock) -> Self {
        Self(Tracked::begin(observers, event_type, clock))
    }

    /// It was handed to the broker.
    pub(crate) fn sent(&self, bytes: usize) {
        if let Some(tracked) = &self.0 {
            tracked.observers.tell(|observer| observer.request_sent(&tracked.sent(bytes)));
        }
    }

    /// It was answered, or failed.
    pub(crate) fn end<T>(mut self, ended: Result<T, &Error>, clock: &dyn Clock) {
        if let Some(tracked) = self.0.take() {
            Self::tell(&tracked, tracked.took(clock), ended.map(|_| true));
        }
    }

    fn tell(tracked: &Tracked, took: Duration, result: Result<bool, &Error>) {
        let ended = RequestEnded { event_type: &tracked.event_type, took, result };
        tracked.observers.tell(|observer| observer.request_ended(&ended));
    }
}

impl Drop for TrackedRequest {
    fn drop(&mut self) {
        if let Some(tracked) = self.0.take() {
            Self::tell(&tracked, Duration::ZERO, Ok(false));
        }
    }
}
