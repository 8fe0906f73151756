//! Emits events, one or many, and waits for their confirms at once or later.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use zc_events_protocol::{Deadline, EncodeOptions, Encoded, Event};
use zc_events_transport::Receipt;

use super::{EventClient, Inner, To};
use crate::log_fields::EventFields;
use crate::observe::TrackedEmit;
use crate::{Error, Result};

/// How many events of [`EventClient::emit_many`] may be unconfirmed at once.
const WINDOW: usize = 1000;

/// An event that was handed to the broker and is not yet confirmed.
#[must_use = "an event is safe only once its receipt was waited for"]
pub struct EmitReceipt {
    receipt: Receipt,
    deadline: Deadline,
    inner: Arc<Inner>,
    emission: TrackedEmit,
}

impl fmt::Debug for EmitReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmitReceipt").field("receipt", &self.receipt).finish_non_exhaustive()
    }
}

impl EmitReceipt {
    /// Waits until the broker has confirmed the event, at most for `EVENTS_PUBLISH_TIMEOUT` after
    /// [`EventClient::start_emit`].
    ///
    /// # Errors
    /// As for [`EventClient::emit`].
    pub fn wait(self) -> Result<()> {
        let emitted = self.receipt.wait(self.deadline).map_err(Error::from);
        if let Err(error) = &emitted {
            self.inner.invalidate_exchanges(error);
        }
        self.emission.end(emitted.as_ref(), self.inner.clock());
        emitted
    }
}

impl EventClient {
    /// Emits an event and waits for the broker's confirm, for at most `EVENTS_PUBLISH_TIMEOUT`.
    /// `Ok` means that the event is in every bound queue and on the broker's disk.
    ///
    /// An event that may have gone out is not sent again automatically, because Python services do not
    /// detect duplicates. To send it again, emit the same [`Event`]: it keeps its id.
    ///
    /// ```
    /// # use zc_events::{Error, Event, EventClient, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").staging_name("test").build()?;
    /// let client = EventClient::new(settings)?;
    /// let event = Event::new("order_created").resource("Order", 23131024).user(56);
    /// // No queue is bound yet, so `emit` reports an error.
    /// assert!(matches!(client.emit(&event), Err(Error::Unroutable { .. })));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Unroutable`]: no queue is bound. [`Error::Nacked`], [`Error::Timeout`], [`Error::Blocked`],
    /// [`Error::Unavailable`]: [`Error::outcome`] says whether the event may have gone out. [`Error::Rejected`],
    /// [`Error::Encode`]. [`Error::TooLarge`]: the body is larger than `EVENTS_MAX_BODY`.
    #[doc(alias = "emit_microservice_event")]
    #[doc(alias = "emit_microservice_message")]
    pub fn emit(&self, event: &Event) -> Result<()> {
        let emitted = self.start_emit(event).and_then(EmitReceipt::wait);
        note_failure(event, &emitted);
        emitted
    }

    /// Sends an event. Wait for the confirm later, with [`EmitReceipt::wait`].
    ///
    /// # Errors
    /// As for [`EventClient::emit`]; the event was not sent, unless [`Error::outcome`] says otherwise.
    pub fn start_emit(&self, event: &Event) -> Result<EmitReceipt> {
        self.hand_over_event(To::Events, &about(event), |options| Ok(event.encode(options)?))
    }

    /// Publishes an event or a call without waiting for an answer.
    pub(super) fn hand_over_event(
        &self,
        to: To,
        about: &EventFields<'_>,
        encode: impl FnOnce(&EncodeOptions) -> Result<Encoded>,
    ) -> Result<EmitReceipt> {
        let inner = self.inner();
        let emission = TrackedEmit::begin(&inner.observers, about.event_type, inner.clock());
        // Not the deadline of the handler's caller: the event is emitted even if the caller no longer waits.
        let deadline = inner.deadline(inner.settings.publish_timeout);
        let sent = encode(&self.encode_options()).and_then(|encoded| {
            log::info!("MICROSERVICE_EVENT::EMIT: Emitting {about}");
            let receipt = self.hand_over(to, &encoded, deadline)?;
            emission.sent(encoded.body.len());
            Ok(receipt)
        });
        match sent {
            Ok(receipt) => Ok(EmitReceipt { receipt, deadline, inner: Arc::clone(inner), emission }),
            Err(error) => {
                emission.end(Err::<(), _>(&error), inner.clock());
                Err(error)
            }
        }
    }

    /// Emits events, up to 1,000 unconfirmed at once, which is many times faster than one by one. Returns one result for
    /// each event, in the same order. `EVENTS_PUBLISH_TIMEOUT` applies to each event.
    ///
    /// ```
    /// # use zc_events::{Event, EventClient, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").staging_name("test").build()?;
    /// # let client = EventClient::new(settings)?;
    /// let events: Vec<_> = (0..3).map(|id| Event::new("order_created").resource("Order", id)).collect();
    /// let results = client.emit_many(&events);
    /// assert_eq!(results.iter().filter(|result| result.is_err()).count(), 3); // no queue is bound
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    pub fn emit_many<'a>(&self, events: impl IntoIterator<Item = &'a Event>) -> Vec<Result<()>> {
        let mut results = Vec::new();
        let mut out: VecDeque<(&Event, Result<EmitReceipt>)> = VecDeque::new();
        let mut settle = |(event, started): (&Event, Result<EmitReceipt, Error>)| {
            let emitted = started.and_then(EmitReceipt::wait);
            note_failure(event, &emitted);
            results.push(emitted);
        };
        for event in events {
            if out.len() == WINDOW {
                out.pop_front().map(&mut settle);
            }
            out.push_back((event, self.start_emit(event)));
        }
        out.into_iter().for_each(settle);
        results
    }
}

fn note_failure(event: &Event, emitted: &Result<()>) {
    if let Err(error) = emitted {
        log::warn!("MICROSERVICE_EVENT::EMIT_FAILURE: Failure emitting {}: {error}", about(event));
    }
}

pub(super) fn about(event: &Event) -> EventFields<'_> {
    EventFields { event_type: event.event_type(), task_id: Some(event.effective_task_id()), kwargs: event.kwargs() }
}
