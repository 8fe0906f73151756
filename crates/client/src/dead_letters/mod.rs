//! The dead letters of a service: looking at them, handling them again, throwing them away. How a message becomes one is
//! the business of `service`.

mod dead_letter;
mod replay;

use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::{Deadline, names};
use zc_events_transport::{ConsumeOptions, Delivery, Settler, Subscription, Topology, Verdict};

pub use dead_letter::DeadLetter;
pub use replay::{Replay, Replayed};

use crate::observe::WaitFor;
use crate::{Error, EventClient, Result};

/// How long connecting may take, and the first letter.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long each letter behind it may take: somebody else may have it.
const QUIET: Duration = Duration::from_secs(2);
/// How many are looked at unless told otherwise.
const MOST: u16 = 2000;
/// How long those that were put back may take to show again; how often it is looked, and the time between two looks.
const BACK: Duration = Duration::from_secs(1);
const LOOKS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);
/// How often it was handled again so far.
const REPLAYS: &str = "x-zc-replays";

/// The dead letters of a service, in the queue `<service>-events.dead`; made by [`EventClient::dead_letters`].
///
/// While somebody looks at them nobody else sees them: they are taken out and put back. A call looks at those that are there
/// when it begins, at most [so many](DeadLetters::at_most), and blocks for at most 15 s until the first of them comes and 2 s for each
/// after it; and at its end for a second at most, until those that were put back show again.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    client: EventClient,
    service: String,
    most: u16,
}

impl EventClient {
    /// The dead letters of the service that this client is of.
    ///
    /// ```
    /// use zc_events::{EventClient, Settings};
    /// let settings = Settings::builder().broker_url("memory://").staging_name("test").service_name("orders").build()?;
    /// let client = EventClient::new(settings)?;
    /// assert!(client.dead_letters()?.list()?.is_empty());
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] without a `SERVICE_NAME`.
    pub fn dead_letters(&self) -> Result<DeadLetters> {
        let service = self.settings().service_name.clone();
        let service = service.ok_or_else(|| {
            Error::config("SERVICE_NAME is not set: dead letters are those of a service, in `<service>-events.dead`")
        })?;
        Ok(DeadLetters { client: self.clone(), service, most: MOST })
    }
}

impl DeadLetters {
    /// The name of their queue.
    #[must_use]
    pub fn queue(&self) -> String {
        names::dead_letter_queue(&self.service)
    }

    /// Looks at no more than so many at once, the oldest of them; 2000 unless set. They are all in memory then.
    #[must_use]
    pub fn at_most(mut self, most: u16) -> Self {
        self.most = most;
        self
    }

    /// How many there are, those not counted that somebody looks at just now. `None` where the service has no queue for them:
    /// it has never run, or has another name.
    ///
    /// # Errors
    /// As for [`EventClient::watch`].
    pub fn count(&self) -> Result<Option<u64>> {
        self.count_by(self.client.inner().deadline(PATIENCE))
    }

    fn count_by(&self, deadline: Deadline) -> Result<Option<u64>> {
        let wanted = Topology::new().dead_queue(self.queue());
        let found = self.client.inner().broker.inspect(&wanted, deadline)?;
        Ok(found.queues.first().and_then(|queue| queue.ready))
    }

    /// The oldest of them, in order. They stay.
    ///
    /// # Errors
    /// As for [`EventClient::watch`].
    pub fn list(&self) -> Result<Vec<DeadLetter>> {
        let (look, taken) = self.look()?;
        let (letters, held) = taken.into_iter().map(|(letter, delivery)| (letter, delivery.settler)).unzip();
        look.end(held)?;
        Ok(letters)
    }

    /// Throws away those that `choose` picks, and says how many they were.
    ///
    /// # Errors
    /// As for [`EventClient::watch`].
    pub fn purge(&self, mut choose: impl FnMut(&DeadLetter) -> bool) -> Result<usize> {
        let (look, taken) = self.look()?;
        let (gone, held): (Vec<_>, Vec<_>) = taken.into_iter().partition(|(letter, _)| choose(letter));
        gone.iter().for_each(|(_, delivery)| delivery.settler.ack());
        look.end(held.into_iter().map(|(_, delivery)| delivery.settler).collect())?;
        Ok(gone.len())
    }

    /// Takes out each letter that is there by now. The oldest comes first, and of the same second the one that is first in
    /// the queue: who looked before may have put back some behind others.
    fn look(&self) -> Result<(Look<'_>, Vec<(DeadLetter, Delivery)>)> {
        let inner = self.client.inner();
        let mut look = Look { letters: self, subscription: None };
        let mut taken = Vec::new();
        // What is made meanwhile lies behind them: it may be what was just handled again.
        let count = self.count()?.unwrap_or_default().min(self.most.into());
        let Some(prefetch) = u16::try_from(count).ok().filter(|count| *count > 0) else { return Ok((look, taken)) };
        let queue: Arc<str> = self.queue().into();
        let mut letters = inner.broker.subscribe(&queue, ConsumeOptions { prefetch }, inner.deadline(PATIENCE))?;
        for number in 0..count {
            // Others may look at some of them at the same time.
            let soon = inner.deadline(if number == 0 { PATIENCE } else { QUIET });
            let waits = WaitFor::Message { queue: &queue };
            let Some(delivery) = self.client.waiting(waits, soon, || letters.next(soon))? else { break };
            taken.push((DeadLetter::of(&delivery, &inner.settings.limits), delivery));
        }
        look.subscription = Some(letters);
        taken.sort_by_key(|(letter, _)| letter.at);
        Ok((look, taken))
    }
}

/// Letters that are taken out for a while.
struct Look<'a> {
    letters: &'a DeadLetters,
    /// `None` where there are none.
    subscription: Option<Box<dyn Subscription>>,
}

impl Look<'_> {
    /// Puts back those that are held, in this order, and takes no more.
    fn end(mut self, held: Vec<Settler>) -> Result<()> {
        let Some(mut subscription) = self.subscription.take() else { return Ok(()) };
        // First, or a quorum queue gives each back to this very consumer, and the last one is the first in the end.
        let cancelled = subscription.cancel(self.letters.client.inner().deadline(PATIENCE));
        // A quorum queue hands out what was put back before all others, in the order in which it came back; another one
        // puts each in its old place.
        held.iter().for_each(|settler| settler.settle(Verdict::Requeue));
        drop(subscription);
        // Where the connection is lost by now, nobody knows which verdicts it took: what was removed may come again.
        cancelled?;
        self.wait_for(held.len());
        Ok(())
    }

    /// Waits until so many are back: a quorum queue is told so, and does it later, and who looks next is to see them. A
    /// while only, since somebody else may have them by then.
    fn wait_for(&self, held: usize) {
        if held == 0 {
            return;
        }
        let deadline = self.letters.client.inner().deadline(BACK);
        for _ in 0..LOOKS {
            match self.letters.count_by(deadline) {
                Ok(Some(there)) if there < held as u64 => std::thread::sleep(PAUSE),
                // What cannot be asked will not be known a little later, either.
                _ => return,
            }
        }
    }
}
