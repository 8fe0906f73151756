//! The dead letters of a service: listing and deleting them. Replaying them is in `replay`.

use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::{Deadline, names};
use zc_events_transport::{ConsumeOptions, Delivery, Settler, Subscription, Topology, Verdict};

use super::dead_letter::DeadLetter;
use crate::observe::WaitFor;
use crate::{Error, EventClient, Result};

/// How long connecting may take, and receiving the first dead letter.
const FIRST_LETTER: Duration = Duration::from_secs(15);
/// How long each further dead letter may take. Another program may hold it.
const NEXT_LETTER: Duration = Duration::from_secs(2);
/// How many dead letters are read by default.
const MAX_LETTERS: u16 = 2000;
/// How long requeued dead letters may take to be counted again; how often they are counted, and the pause in between.
const REQUEUE: Duration = Duration::from_secs(1);
const COUNTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);
/// The dead letters of a service, in the queue `<service>-events.dead`; see [`EventClient::dead_letters`].
///
/// A call takes the dead letters out of the queue and requeues them at its end. In between, other programs do not see them.
/// It reads the dead letters that are there when it starts, [up to a limit](DeadLetters::at_most). It waits for at most 15 s
/// for the first one, 2 s for each further one, and at its end 1 s until the requeued ones are counted again.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    pub(super) client: EventClient,
    pub(super) service: String,
    max_letters: u16,
}

impl EventClient {
    /// The dead letters of the service that `SERVICE_NAME` names.
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
            Error::config("SERVICE_NAME is not set: it names the service whose dead letters are read, from `<service>-events.dead`")
        })?;
        Ok(DeadLetters { client: self.clone(), service, max_letters: MAX_LETTERS })
    }
}

impl DeadLetters {
    /// The name of the queue.
    #[must_use]
    pub fn queue(&self) -> String {
        names::dead_letter_queue(&self.service)
    }

    /// Sets how many dead letters a call reads, the oldest first; 2000 by default. A call holds all of them in memory.
    #[must_use]
    pub fn at_most(mut self, max_letters: u16) -> Self {
        self.max_letters = max_letters;
        self
    }

    /// The number of dead letters, without those that another program is reading. `None` if the queue does not exist: the
    /// service has never run, or has another name.
    ///
    /// # Errors
    /// As for [`EventClient::watch`].
    pub fn count(&self) -> Result<Option<u64>> {
        self.count_by(self.client.inner().deadline(FIRST_LETTER))
    }

    fn count_by(&self, deadline: Deadline) -> Result<Option<u64>> {
        let wanted = Topology::new().dead_queue(self.queue());
        let found = self.client.inner().broker.inspect(&wanted, deadline)?;
        Ok(found.queues.first().and_then(|queue| queue.ready))
    }

    /// Lists the dead letters, the oldest first. They stay in the queue.
    ///
    /// # Errors
    /// As for [`EventClient::watch`].
    pub fn list(&self) -> Result<Vec<DeadLetter>> {
        let (reading, taken) = self.read()?;
        let (letters, held) = taken.into_iter().map(|(letter, delivery)| (letter, delivery.settler)).unzip();
        reading.end(held)?;
        Ok(letters)
    }

    /// Deletes the dead letters for which `choose` returns true, and returns their number.
    ///
    /// # Errors
    /// As for [`EventClient::watch`].
    pub fn purge(&self, mut choose: impl FnMut(&DeadLetter) -> bool) -> Result<usize> {
        let (reading, taken) = self.read()?;
        let (gone, held): (Vec<_>, Vec<_>) = taken.into_iter().partition(|(letter, _)| choose(letter));
        gone.iter().for_each(|(_, delivery)| delivery.settler.ack());
        reading.end(held.into_iter().map(|(_, delivery)| delivery.settler).collect())?;
        Ok(gone.len())
    }

    /// Takes all dead letters that are there now, the oldest first, and in the order of the queue within a second. Earlier
    /// calls may have changed the order of the queue.
    pub(super) fn read(&self) -> Result<(Reading<'_>, Vec<(DeadLetter, Delivery)>)> {
        let inner = self.client.inner();
        let mut reading = Reading { letters: self, subscription: None };
        let mut taken = Vec::new();
        // Only those that exist now: later ones may come from a replay of this call.
        let count = self.count()?.unwrap_or_default().min(self.max_letters.into());
        let Some(prefetch) = u16::try_from(count).ok().filter(|count| *count > 0) else { return Ok((reading, taken)) };
        let queue: Arc<str> = self.queue().into();
        let letters = inner.broker.subscribe(&queue, ConsumeOptions { prefetch }, inner.deadline(FIRST_LETTER))?;
        for number in 0..count {
            // Another program may read some of them at the same time.
            let soon = inner.deadline(if number == 0 { FIRST_LETTER } else { NEXT_LETTER });
            let waits = WaitFor::Message { queue: &queue };
            let Some(delivery) = self.client.waiting(waits, soon, || letters.next(soon))? else { break };
            taken.push((DeadLetter::read(&delivery, &inner.settings.limits), delivery));
        }
        reading.subscription = Some(letters);
        taken.sort_by_key(|(letter, _)| letter.at);
        Ok((reading, taken))
    }
}

/// The dead letters that a call has taken and not settled.
pub(super) struct Reading<'a> {
    letters: &'a DeadLetters,
    /// `None` if there are no dead letters.
    subscription: Option<Box<dyn Subscription>>,
}

impl Reading<'_> {
    /// Stops consuming, and requeues the held dead letters in this order.
    pub(super) fn end(mut self, held: Vec<Settler>) -> Result<()> {
        let Some(subscription) = self.subscription.take() else { return Ok(()) };
        // First, because a quorum queue would deliver requeued messages to this consumer again, in the reverse order.
        let cancelled = subscription.cancel(self.letters.client.inner().deadline(FIRST_LETTER));
        // A quorum queue delivers requeued messages before all others, in the order of requeueing. A classic queue puts
        // each in its old place.
        held.iter().for_each(|settler| settler.settle(Verdict::Requeue));
        drop(subscription);
        // If the connection was lost, the broker may have missed acknowledgements: deleted dead letters may come again.
        cancelled?;
        self.wait_until_requeued(held.len());
        Ok(())
    }

    /// Waits until this number of dead letters is in the queue again, so that the next call sees them: a quorum queue
    /// requeues later. The wait is short, because another program may have taken them.
    fn wait_until_requeued(&self, held: usize) {
        if held == 0 {
            return;
        }
        let deadline = self.letters.client.inner().deadline(REQUEUE);
        for _ in 0..COUNTS {
            match self.letters.count_by(deadline) {
                Ok(Some(there)) if there < held as u64 => std::thread::sleep(PAUSE),
                // All are back, or the count fails; then waiting would not help.
                _ => return,
            }
        }
    }
}
