//! The receipt that a sender holds until the broker has confirmed a message. The implementations find the confirm.

use std::fmt;

use zc_events_protocol::Deadline;

use crate::Result;

/// How an implementation answers for a message that it has sent.
pub trait Confirmation: Send {
    /// See [`Receipt::wait`].
    ///
    /// # Errors
    /// See [`Receipt::wait`].
    fn wait(self: Box<Self>, deadline: Deadline) -> Result<()>;

    /// See [`Receipt::verdict`].
    fn verdict(&mut self) -> Option<Result<()>>;
}

/// The receipt of a message that was sent to the broker. Dropping it does not affect the message.
#[must_use = "a message is safe only after waiting for its receipt"]
pub struct Receipt(Option<Box<dyn Confirmation>>);

impl Receipt {
    /// A receipt that asks `confirmation`.
    pub fn new(confirmation: Box<dyn Confirmation>) -> Self {
        Self(Some(confirmation))
    }

    /// A receipt of a message that is confirmed already.
    pub fn confirmed() -> Self {
        Self(None)
    }

    /// Waits until the broker has confirmed the message. It is then in all queues that it was routed to, and on disk if
    /// the message is persistent and the queue is durable.
    ///
    /// # Errors
    /// - [`Unroutable`](crate::Error::Unroutable): the message is mandatory, and it reached no queue.
    /// - [`Nacked`](crate::Error::Nacked): a queue refused it. Other queues may have it.
    /// - [`Timeout`](crate::Error::Timeout) and [`Unavailable`](crate::Error::Unavailable): the outcome is unknown.
    pub fn wait(self, deadline: Deadline) -> Result<()> {
        match self.0 {
            Some(confirmation) => confirmation.wait(deadline),
            None => Ok(()),
        }
    }

    /// The broker's verdict on the message, or `None` while it has not come. Does not wait. An error is returned only
    /// once.
    pub fn verdict(&mut self) -> Option<Result<()>> {
        match &mut self.0 {
            Some(confirmation) => {
                let verdict = confirmation.verdict();
                if verdict.is_some() {
                    self.0 = None;
                }
                verdict
            }
            None => Some(Ok(())),
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").field("confirmed", &self.0.is_none()).finish()
    }
}
