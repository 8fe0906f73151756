//! A request that was sent and whose answer is still out.

use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::{Deadline, Limits, Outcome, Reply, Stage};
use zc_events_transport::Receipt;

use super::{Answer, EventClient};
use crate::settings::in_redis_url;
use crate::{Error, Result, metrics};

/// How soon after sending it is looked whether anybody takes the request at all.
const FIRST_LOOK: Duration = Duration::from_millis(50);

/// A request under way. Dropping it costs nothing: the answer, should one come, goes away
/// by itself after a minute.
#[derive(Debug)]
#[must_use = "a request that is not waited for has no answer"]
pub struct Pending {
    pub(super) client: EventClient,
    pub(super) resource: String,
    pub(super) response_key: String,
    pub(super) receipt: Receipt,
    pub(super) deadline: Deadline,
    pub(super) metered: metrics::Request,
}

impl Pending {
    /// Waits for the answer, at most until the deadline that began when the request was
    /// sent. An answer that has come in the meantime is there at once.
    ///
    /// # Errors
    /// [`Error::Remote`] for a status of 400 and above; else as for [`Pending::wait_any`].
    pub fn wait(self) -> Result<Answer> {
        self.wait_any()?.or_remote_error()
    }

    /// [`Pending::wait`], with answers of status 400 and above among the answers.
    ///
    /// # Errors
    /// [`Error::Timeout`] with [`Stage::Reply`]: nobody answered; the request may still be
    /// run. [`Error::Unroutable`]: no service is bound, which is told at once.
    /// [`Error::Unavailable`] and [`Error::Rejected`] of the reply store: the outcome is
    /// unknown. [`Error::Decode`]: the answer is no
    /// answer, or larger than `EVENTS_MAX_REPLY`.
    pub fn wait_any(mut self) -> Result<Answer> {
        let awaited = self.reply();
        let clock = &*self.client.settings().clock;
        match awaited {
            Ok(reply) => {
                self.metered.answered(reply.is_error(), clock);
                Ok(Answer::new(self.resource, reply))
            }
            Err(error) => {
                self.metered.failed(&error, clock);
                Err(error)
            }
        }
    }

    fn reply(&mut self) -> Result<Reply> {
        let first_look = self.client.inner().deadline(FIRST_LOOK).min(self.deadline);
        let mut reply = match self.pop(first_look) {
            // A store that was slow for the first look has until the deadline.
            Err(Error::Timeout { .. }) if !self.deadline.has_passed(self.client.inner().clock()) => None,
            popped => popped?,
        };
        let mut doubt = None;
        if reply.is_none() {
            doubt = self.receipt.verdict().and_then(std::result::Result::err).map(Error::from);
            // With any other outcome somebody may have it, and answer.
            if let Some(error) = doubt.take_if(|error| error.outcome() == Outcome::NotSent) {
                return Err(error);
            }
            reply = self.pop(self.deadline)?;
        }
        let Some(bytes) = reply else {
            let verdict = self.receipt.verdict().and_then(std::result::Result::err).map(Error::from);
            return Err(doubt.or(verdict).unwrap_or(Error::Timeout { stage: Stage::Reply }));
        };
        let settings = self.client.settings();
        let limits = Limits { body: settings.max_reply, ..settings.limits };
        Reply::decode(&bytes, &limits)
            .map_err(|error| Error::decode(&format!("the answer to the request for {}", self.resource), error))
    }

    fn pop(&self, deadline: Deadline) -> Result<Option<Vec<u8>>> {
        let store = Arc::clone(self.client.inner().store()?);
        let popped = store.pop(&[self.response_key.as_str()], deadline).map_err(in_redis_url)?;
        Ok(popped.map(|(_, value)| value))
    }
}
