//! A request or a call that waits for its answer. The sender says how the answer is read (`Read`). `pending_set` waits for
//! several of them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::{Deadline, Limits, Outcome, Stage};
use zc_events_transport::Receipt;

use super::sent_request::SentRequest;
use super::{Answer, EventClient};
use crate::observe::TrackedRequest;
use crate::{Error, Result};

/// So long after sending, the client checks whether the broker returned the request as unroutable.
pub(super) const FIRST_LOOK: Duration = Duration::from_millis(50);

/// How an answer is read.
pub(super) trait Read<T>: Send + Sync {
    /// The answer as the caller gets it; [`Error::Remote`] and [`Error::Call`] where it is a failure.
    fn read(&self, bytes: &[u8], limits: &Limits) -> Result<T>;
}

/// A request or a call that waits for its answer. It may be dropped: if the answer comes, it expires after a minute.
#[must_use = "the answer is lost unless you wait for it"]
pub struct Pending<T = Answer> {
    client: EventClient,
    what: String,
    response_key: String,
    receipt: Receipt,
    /// Why the broker did not deliver it to all queues, if the broker said so.
    delivery_failure: Option<Error>,
    deadline: Deadline,
    metered: TrackedRequest,
    read: Arc<dyn Read<T>>,
}

impl<T> Pending<T> {
    /// The pending request, or the error of sending it.
    pub(super) fn of(
        client: EventClient,
        what: String,
        response_key: String,
        metered: TrackedRequest,
        sent: Result<SentRequest>,
        read: Arc<dyn Read<T>>,
    ) -> Result<Self> {
        match sent {
            Ok(SentRequest { receipt, deadline, bytes }) => {
                metered.sent(bytes);
                Ok(Self { client, what, response_key, receipt, delivery_failure: None, deadline, metered, read })
            }
            Err(error) => {
                metered.end(Err::<(), _>(&error), client.inner().clock());
                Err(error)
            }
        }
    }

    /// Waits for the answer, at most until the deadline that began when it was sent. An answer that has come in the
    /// meantime is there at once.
    ///
    /// This is Python's `complete()`. Its `wait()` and `wait_for_response()` give an answer whatever its status:
    /// [`Pending::wait_any`].
    ///
    /// # Errors
    /// [`Error::Remote`] for an answer with a status of 400 and above, [`Error::Call`] for a function that failed.
    /// [`Error::Timeout`] with [`Stage::Reply`]: no answer came in time; the request may still be
    /// handled. [`Error::Unroutable`]: no service is bound; this error comes at once.
    /// [`Error::Unavailable`] and [`Error::Rejected`] of the reply store: the outcome is unknown.
    /// [`Error::Decode`]: the answer is no answer, or larger than `EVENTS_MAX_REPLY`.
    #[doc(alias = "complete")]
    pub fn wait(mut self) -> Result<T> {
        let awaited = self.reply();
        self.end(awaited)
    }

    /// When the caller gives up.
    pub(super) fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Where its answer comes.
    pub(super) fn response_key(&self) -> &str {
        &self.response_key
    }

    pub(super) fn client(&self) -> &EventClient {
        &self.client
    }

    /// What it is called in errors.
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// How the request ended: the answer as it came, or an error.
    pub(super) fn end(self, awaited: Result<Vec<u8>>) -> Result<T> {
        let settings = self.client.settings();
        let limits = Limits { body: settings.max_reply, ..settings.limits };
        let ended = awaited.and_then(|bytes| self.read.read(&bytes, &limits));
        self.metered.end(ended.as_ref(), &*settings.clock);
        ended
    }

    fn reply(&mut self) -> Result<Vec<u8>> {
        // If the broker has already returned the request, there is no answer to wait for.
        self.check_delivery()?;
        let first_look = self.client.inner().deadline(FIRST_LOOK).min(self.deadline);
        let mut reply = match self.pop(first_look) {
            // A store that was slow for the first look has until the deadline.
            Err(Error::Timeout { .. }) if !self.deadline.has_passed(self.client.inner().clock()) => None,
            popped => popped?,
        };
        if reply.is_none() {
            self.check_delivery()?;
            reply = self.pop(self.deadline)?;
        }
        match reply {
            Some(bytes) => Ok(bytes),
            None => Err(self.take_delivery_failure().unwrap_or(Error::Timeout { stage: Stage::Reply })),
        }
    }

    /// Fails if the broker says that the message reached no queue. With any other outcome a service may have it and
    /// answer, so the error is kept as the delivery failure.
    pub(super) fn check_delivery(&mut self) -> Result<()> {
        match self.failed_verdict() {
            Some(error) if error.outcome() == Outcome::NotSent => return Err(error),
            Some(error) => self.delivery_failure = Some(error),
            None => {}
        }
        Ok(())
    }

    /// Why an answer may never come, if the broker said so.
    pub(super) fn take_delivery_failure(&mut self) -> Option<Error> {
        self.delivery_failure.take().or_else(|| self.failed_verdict())
    }

    fn failed_verdict(&mut self) -> Option<Error> {
        self.receipt.verdict().and_then(std::result::Result::err).map(Error::from)
    }

    fn pop(&self, deadline: Deadline) -> Result<Option<Vec<u8>>> {
        Ok(self.client.pop(&[self.response_key.as_str()], deadline)?.map(|(_, value)| value))
    }
}

impl Pending<Answer> {
    /// [`Pending::wait`], with answers of status 400 and above among the answers: Python's `event.wait()`.
    ///
    /// # Errors
    /// As for [`Pending::wait`], but for [`Error::Remote`].
    #[doc(alias = "wait_for_response")]
    #[doc(alias = "get_request_event_response")]
    pub fn wait_any(self) -> Result<Answer> {
        match self.wait() {
            Err(Error::Remote { resource, failure, .. }) => Ok(Answer::of_failure(resource, failure)),
            other => other,
        }
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("what", &self.what)
            .field("response_key", &self.response_key)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
