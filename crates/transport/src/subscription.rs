//! A queue that is consumed: the second half of the contract, beside [`Broker`](crate::Broker).

use std::time::Instant;

use crossbeam_channel::{Receiver, Select, never};
use zc_events_protocol::{Clock, Deadline};

use crate::{Delivery, Result};

/// A queue that is consumed. Several threads may share it; each delivery goes to one of them. Dropping it stops consuming,
/// and puts back into the queue what was not settled.
///
/// A thread that consumes one queue calls [`Subscription::next`]. A thread that consumes several asks each with
/// [`Subscription::try_next`], and waits for all of them with [`wait_until_ready`].
pub trait Subscription: Send + Sync {
    /// The next delivery, if it is there already. Does not wait.
    ///
    /// # Errors
    /// [`Unavailable`](crate::Error::Unavailable) when the connection is lost,
    /// [`Rejected`](crate::Error::Rejected) when the queue was deleted, [`Closed`](crate::Error::Closed) when the broker's
    /// handle was closed. A subscription that failed fails for good: subscribe again.
    fn try_next(&self) -> Result<Polled>;

    /// Adds to `select` what becomes ready when [`Subscription::try_next`] may have something to say.
    fn register<'a>(&'a self, select: &mut Select<'a>);

    /// The next delivery; `None` when there was none by the deadline.
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

    /// Asks for no more deliveries. What was given out may still be settled; what was not goes back into the queue.
    ///
    /// # Errors
    /// As for [`Subscription::try_next`].
    fn cancel(&self, deadline: Deadline) -> Result<()>;
}

/// What [`Subscription::try_next`] found.
#[derive(Debug)]
pub enum Polled {
    /// A delivery.
    Delivery(Box<Delivery>),
    /// No delivery for now.
    Empty {
        /// When to look again, even if nothing becomes ready before: a message may be due then.
        look_again: Option<Instant>,
    },
}

/// Waits until one of the subscriptions may have something to say, until `interrupt` has a message or loses its last
/// sender, or until the deadline. A message of `interrupt` is not taken out.
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
