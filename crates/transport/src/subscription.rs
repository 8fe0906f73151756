//! [`Subscription`], the second half of the contract beside [`Broker`](crate::Broker).

use std::time::Instant;

use crossbeam_channel::{Receiver, Select, never};
use zc_events_protocol::{Clock, Deadline};

use crate::{Delivery, Result};

/// A consumed queue. Several threads may share it; each delivery goes to one of them. Dropping it stops consuming; messages
/// that were not settled go back into the queue.
///
/// A thread that consumes one queue calls [`Subscription::next`]. A thread that consumes several calls
/// [`Subscription::try_next`] of each, and waits for all of them with [`wait_until_ready`].
pub trait Subscription: Send + Sync {
    /// The next delivery, if it has arrived already. Does not wait.
    ///
    /// # Errors
    /// [`Unavailable`](crate::Error::Unavailable) when the connection is lost,
    /// [`Rejected`](crate::Error::Rejected) when the queue was deleted, [`Closed`](crate::Error::Closed) when the broker's
    /// handle was closed. After an error, all further calls fail: subscribe again.
    fn try_next(&self) -> Result<Polled>;

    /// Adds channels to `select` that become ready when [`Subscription::try_next`] may return a delivery or an error.
    fn register<'a>(&'a self, select: &mut Select<'a>);

    /// The next delivery; `None` if no delivery came by the deadline.
    ///
    /// # Errors
    /// As for [`Subscription::try_next`].
    fn next(&self, deadline: Deadline) -> Result<Option<Delivery>> {
        self.next_unless(&never(), deadline)
    }

    /// [`Subscription::next`], which gives up as soon as `interrupt` has a message or loses its last sender.
    ///
    /// # Errors
    /// As for [`Subscription::try_next`].
    fn next_unless(&self, interrupt: &Receiver<()>, deadline: Deadline) -> Result<Option<Delivery>>;

    /// Stops deliveries. Messages that [`Subscription::next`] returned may still be settled; all others go back into the
    /// queue.
    ///
    /// # Errors
    /// As for [`Subscription::try_next`].
    fn cancel(&self, deadline: Deadline) -> Result<()>;
}

/// The result of [`Subscription::try_next`]. A caller handles all cases, so there will be no others.
#[derive(Debug)]
pub enum Polled {
    /// A delivery.
    Delivery(Box<Delivery>),
    /// No delivery for now.
    Empty {
        /// When to call again, even if no channel becomes ready: a message may be due then.
        look_again: Option<Instant>,
    },
}

/// Waits until one of the subscriptions may have a delivery or an error, until `interrupt` has a message or loses its last
/// sender, or until the deadline. It does not take the message of `interrupt`.
pub fn wait_until_ready<'a>(
    clock: &dyn Clock,
    subscriptions: impl IntoIterator<Item = &'a dyn Subscription>,
    interrupt: &'a Receiver<()>,
    deadline: Deadline,
) {
    let alarm = clock.at(deadline.instant());
    let mut select = Select::new();
    for subscription in subscriptions {
        subscription.register(&mut select);
    }
    select.recv(interrupt);
    select.recv(&alarm);
    select.ready();
}

/// [`Subscription::next_unless`] by way of [`Subscription::try_next`] and [`Subscription::register`].
pub(crate) fn next_unless(
    subscription: &dyn Subscription,
    clock: &dyn Clock,
    interrupt: &Receiver<()>,
    deadline: Deadline,
) -> Result<Option<Delivery>> {
    loop {
        // In this order: a delivery that is there by the deadline is given out.
        let is_late = deadline.has_passed(clock);
        let look_again = match subscription.try_next()? {
            Polled::Delivery(delivery) => return Ok(Some(*delivery)),
            Polled::Empty { .. } if is_late || is_interrupted(interrupt) => return Ok(None),
            Polled::Empty { look_again } => look_again,
        };
        let until = look_again.map_or(deadline, |look_again| deadline.min(Deadline::at(look_again)));
        wait_until_ready(clock, [subscription], interrupt, until);
    }
}

fn is_interrupted(interrupt: &Receiver<()>) -> bool {
    !matches!(interrupt.try_recv(), Err(crossbeam_channel::TryRecvError::Empty))
}
