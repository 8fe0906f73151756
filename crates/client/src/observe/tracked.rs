//! Messages whose end is not known yet. Observers are told each end once: when it is known, or when the caller drops the
//! message without waiting.

use std::marker::PhantomData;
use std::time::{Duration, Instant};

use zc_events_protocol::Clock;

use super::{EmitEnded, MessageSent, Observer, Observers, RequestEnded};
use crate::Error;

/// An event or a notification until its confirm.
pub(crate) type TrackedEmit = Tracked<Emit>;

/// A request or a call until its answer.
pub(crate) type TrackedRequest = Tracked<Request>;

/// Which methods of an observer a message calls.
pub(crate) trait Tracking {
    fn sent(observer: &dyn Observer, sent: &MessageSent<'_>);

    /// `result` is `Ok(false)` if the caller did not wait for it.
    fn ended(observer: &dyn Observer, event_type: &str, took: Duration, result: Result<bool, &Error>);
}

#[derive(Debug)]
pub(crate) struct Emit;

impl Tracking for Emit {
    fn sent(observer: &dyn Observer, sent: &MessageSent<'_>) {
        observer.emit_sent(sent);
    }

    fn ended(observer: &dyn Observer, event_type: &str, took: Duration, result: Result<bool, &Error>) {
        observer.emit_ended(&EmitEnded { event_type, took, result });
    }
}

#[derive(Debug)]
pub(crate) struct Request;

impl Tracking for Request {
    fn sent(observer: &dyn Observer, sent: &MessageSent<'_>) {
        observer.request_sent(sent);
    }

    fn ended(observer: &dyn Observer, event_type: &str, took: Duration, result: Result<bool, &Error>) {
        observer.request_ended(&RequestEnded { event_type, took, result });
    }
}

/// A message whose end is not known yet. It keeps nothing if there is no observer.
#[derive(Debug)]
pub(crate) struct Tracked<K: Tracking> {
    message: Option<Message>,
    kind: PhantomData<K>,
}

#[derive(Debug)]
struct Message {
    observers: Observers,
    event_type: String,
    since: Instant,
}

impl<K: Tracking> Tracked<K> {
    pub(crate) fn begin(observers: &Observers, event_type: &str, clock: &dyn Clock) -> Self {
        let message =
            || Message { observers: observers.clone(), event_type: event_type.to_owned(), since: clock.now() };
        Self { message: (!observers.is_empty()).then(message), kind: PhantomData }
    }

    /// The message was handed to the broker.
    pub(crate) fn sent(&self, bytes: usize) {
        if let Some(message) = &self.message {
            let sent = MessageSent { event_type: &message.event_type, bytes };
            message.observers.tell(|observer| K::sent(observer, &sent));
        }
    }

    /// The message was confirmed or answered, or it failed.
    pub(crate) fn end<T>(mut self, result: Result<T, &Error>, clock: &dyn Clock) {
        if let Some(message) = self.message.take() {
            let took = clock.now().saturating_duration_since(message.since);
            Self::tell(&message, took, result.map(|_| true));
        }
    }

    fn tell(message: &Message, took: Duration, result: Result<bool, &Error>) {
        message.observers.tell(|observer| K::ended(observer, &message.event_type, took, result));
    }
}

impl<K: Tracking> Drop for Tracked<K> {
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            Self::tell(&message, Duration::ZERO, Ok(false));
        }
    }
}
