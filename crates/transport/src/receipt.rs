//! What a sender holds until the broker has confirmed. How a confirm is found is the
//! implementation's business.

use std::fmt;

use zc_events_protocol::Deadline;

use crate::Result;

/// Where an implementation is asked for a confirm.
pub trait Confirmation: Send {
    /// See [`Receipt::wait`].
    ///
    /// # Errors
    /// See [`Receipt::wait`].
    fn wait(self: Box<Self>, deadline: Deadline) -> Result<()>;

    /// See [`Receipt::verdict`].
    fn verdict(&mut self) -> Option<Result<()>>;
}

/// A message that was handed to the broker. Dropping it loses nothing but the knowledge.
#[must_use = "a message is safe only once its receipt was waited for"]
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

    /// Waits until the broker has confirmed the message: it is in all queues that it was
    /// routed to, and on disk where it and they are durable.
    ///
    /// # Errors
    /// [`Unroutable`](crate::Error::Unroutable): mandatory, and no queue took it.
    /// [`Nacked`](crate::Error::Nacked): a queue refused it; others may have it.
    /// [`Timeout`](crate::Error::Timeout) and [`Unavailable`](crate::Error::Unavailable): unknown.
    pub fn wait(self, deadline: Deadline) -> Result<()> {
        match self.0 {
            Some(confirmation) => confirmation.wait(deadline),
            None => Ok(()),
        }
    }

    /// What the broker has said of the message so far, without waiting. An error is told
    /// once; asked again, there is none.
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
