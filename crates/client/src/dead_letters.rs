//! The dead letters of a service: looking at them, handling them again, throwing them away. How a message becomes one is
//! the business of `service`.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use zc_events_protocol::{HeaderValue, Limits, Properties, names};
use zc_events_transport::{ConsumeOptions, Delivery, Outgoing, Topology, Verdict};

use crate::testing::Wait;
use crate::{Error, EventClient, Message, Result};

/// How often a letter is handled again unless more is asked for.
const MOST_REPLAYS: u32 = 3;
/// How long connecting may take, and the first letter.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long each letter behind it may take: somebody else may have it.
const QUIET: Duration = Duration::from_secs(2);
/// How many are looked at unless told otherwise.
const MOST: u16 = 2000;
/// How often it was handled again so far.
const REPLAYS: &str = "x-zc-replays";
/// What a letter has because it is dead.
const WHY: [&str; 5] = ["x-zc-attempt", "x-zc-attempts", "x-zc-reason", "x-zc-detail", "x-zc-time"];

/// A dead letter of a service, and why it is one. `Debug` does not show what it says.
#[derive(Clone)]
#[non_exhaustive]
pub struct DeadLetter {
    /// A short word that stays the same, such as `failed`, `panicked`, `payload_mismatch` or `malformed`.
    pub reason: String,
    /// For people: what the handler said, as a rule.
    pub detail: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it became one.
    pub at: Option<SystemTime>,
    /// How often it was handled again since, and became one again.
    pub replays: u32,
    /// The exchange that it came from at first.
    pub exchange: String,
    /// The message.
    pub message: Message,
}

impl DeadLetter {
    pub(crate) fn of(delivery: &Delivery, limits: &Limits) -> Self {
        let header = |name: &str| delivery.properties.headers.as_ref().and_then(|headers| headers.get(name));
        let text = |name| header(name).and_then(HeaderValue::as_str).unwrap_or_default().to_owned();
        let number = |name| header(name).and_then(HeaderValue::as_int).and_then(|number| u32::try_from(number).ok());
        let at = match header("x-zc-time") {
            Some(HeaderValue::Timestamp(seconds)) => UNIX_EPOCH.checked_add(Duration::from_secs(*seconds)),
            _ => None,
        };
        Self {
            reason: text("x-zc-reason"),
            detail: text("x-zc-detail"),
            attempts: number("x-zc-attempts").unwrap_or_default(),
            at,
            replays: number(REPLAYS).unwrap_or_default(),
            exchange: text("x-zc-exchange"),
            message: Message::read(
                &delivery.exchange,
                &delivery.routing_key,
                &delivery.properties,
                &delivery.body,
                limits,
            ),
        }
    }

    /// What it is called by: the id of its envelope, or, where that cannot be read, the broker's `message_id`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.message.id().or(self.message.message_id())
    }
}

impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter")
            .field("reason", &self.reason)
            .field("attempts", &self.attempts)
            .field("replays", &self.replays)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

/// How dead letters are handled again; see [`DeadLetters::replay`].
#[derive(Clone, Debug)]
#[must_use = "it says how, and does nothing by itself"]
pub struct Replay {
    event_type: Option<String>,
    most: u32,
}

impl Replay {
    /// As they are, and each at most 3 times.
    pub fn new() -> Self {
        Self { event_type: None, most: MOST_REPLAYS }
    }

    /// Under this event type in place of their own.
    pub fn event_type(mut self, event_type: impl Into<String>) -> Self {
        self.event_type = Some(event_type.into());
        self
    }

    /// Leaves those alone that were handled again so often already.
    pub fn most(mut self, most: u32) -> Self {
        self.most = most;
        self
    }
}

impl Default for Replay {
    fn default() -> Self {
        Self::new()
    }
}

/// What became of the letters that were to be handled again.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Replayed {
    /// The ids of those that are in the service's queue now.
    pub done: Vec<String>,
    /// The ids of those that stay dead letters, and why.
    pub left: Vec<(String, String)>,
    /// Why it ended before it had looked at all. The letter that it was at stays, and may be in the service's queue as well
    /// where [`Error::outcome`] says that this is unknown; and what the broker was not told in time comes again.
    pub stopped_by: Option<Error>,
}

/// The dead letters of a service, in the queue `<service>-events.dead`; made by [`EventClient::dead_letters`].
///
/// While somebody looks at them nobody else sees them: they are taken out and put back. A call looks at those that are there
/// when it begins, at most [so many](DeadLetters::at_most), and blocks for at most 15 s until the first of them comes and 2 s for each
/// after it.
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
        let inner = self.client.inner();
        let wanted = Topology::new().dead_queue(self.queue());
        let found = inner.broker.inspect(&wanted, inner.deadline(PATIENCE))?;
        Ok(found.queues.first().and_then(|queue| queue.ready))
    }

    /// The oldest of them, in order. They stay.
    ///
    /// # Errors
    /// As for [`EventClient::watch`].
    pub fn list(&self) -> Result<Vec<DeadLetter>> {
        let mut letters = Vec::new();
        // Those that are held go back when the subscription ends.
        self.each(|letter, _| {
            letters.push(letter);
            Fate::Hold
        })?;
        // A quorum queue puts what was looked at behind the others.
        letters.sort_by_key(|letter| letter.at);
        Ok(letters)
    }

    /// Puts those that `choose` picks into the service's queue once more, with all their attempts before them. Each is confirmed
    /// there before its letter is removed; one that fails again is a dead letter again, and counted.
    ///
    /// Letters that are made meanwhile are left for the next time, so that this ends even where all fail at once.
    ///
    /// # Errors
    /// As for [`EventClient::watch`], where nothing is done by then; else see [`Replayed::stopped_by`].
    pub fn replay(&self, replay: &Replay, mut choose: impl FnMut(&DeadLetter) -> bool) -> Result<Replayed> {
        let mut replayed = Replayed::default();
        let queue = names::events_queue(&self.service);
        let mut stopped_by = None;
        let looked = self.each(|letter, delivery| {
            if stopped_by.is_some() || !choose(&letter) {
                return Fate::Hold;
            }
            let id = letter.id().unwrap_or_default().to_owned();
            let (properties, body) = match self.revive(replay, &letter, delivery) {
                Ok(revived) => revived,
                Err(why) => {
                    replayed.left.push((id, why));
                    return Fate::Hold;
                }
            };
            match self.send(&queue, &properties, &body) {
                Ok(()) => {
                    replayed.done.push(id);
                    Fate::Remove
                }
                Err(error) => {
                    replayed.left.push((id, error.to_string()));
                    stopped_by = Some(error);
                    Fate::Hold
                }
            }
        });
        match (stopped_by, looked) {
            (None, Err(error)) if replayed.done.is_empty() => return Err(error),
            (stopped_by, looked) => replayed.stopped_by = stopped_by.or(looked.err()),
        }
        Ok(replayed)
    }

    /// Throws away those that `choose` picks, and says how many they were.
    ///
    /// # Errors
    /// As for [`EventClient::watch`].
    pub fn purge(&self, mut choose: impl FnMut(&DeadLetter) -> bool) -> Result<usize> {
        let mut purged = 0;
        self.each(|letter, _| {
            let fate = if choose(&letter) { Fate::Remove } else { Fate::Hold };
            purged += usize::from(matches!(fate, Fate::Remove));
            fate
        })?;
        Ok(purged)
    }

    /// Takes each letter that is there by now, and does with it what `decide` says.
    fn each(&self, mut decide: impl FnMut(DeadLetter, &Delivery) -> Fate) -> Result<()> {
        let inner = self.client.inner();
        // What is made meanwhile lies behind them: it may be what was just handled again.
        let count = self.count()?.unwrap_or_default().min(self.most.into());
        let Some(prefetch) = u16::try_from(count).ok().filter(|count| *count > 0) else { return Ok(()) };
        let options = ConsumeOptions { prefetch };
        let queue: Arc<str> = self.queue().into();
        let mut letters = inner.broker.subscribe(&queue, options, inner.deadline(PATIENCE))?;
        let mut held = Vec::new();
        for number in 0..count {
            // Others may look at some of them at the same time.
            let soon = inner.deadline(if number == 0 { PATIENCE } else { QUIET });
            let Some(delivery) = self.client.waiting(Wait::Message(Arc::clone(&queue)), soon, || letters.next(soon))?
            else {
                break;
            };
            match decide(DeadLetter::of(&delivery, &inner.settings.limits), &delivery) {
                Fate::Remove => delivery.settler.ack(),
                Fate::Hold => held.push(delivery.settler),
            }
        }
        // Put back by name, the last one first: where the queue keeps places, they keep theirs.
        held.iter().rev().for_each(|settler| settler.settle(Verdict::Requeue));
        // Where the connection is lost by now, nobody knows which verdicts it took: what was removed may come again.
        Ok(letters.cancel(inner.deadline(PATIENCE))?)
    }

    /// A letter as it goes to the service once more; or why it does not.
    fn revive(
        &self,
        replay: &Replay,
        letter: &DeadLetter,
        delivery: &Delivery,
    ) -> std::result::Result<(Properties, Vec<u8>), String> {
        if letter.replays >= replay.most {
            return Err(format!("it was handled again {} times already", letter.replays));
        }
        let mut properties = Properties {
            delivery_mode: Some(2),
            // What would end the copy, and what the broker would refuse it for.
            expiration: None,
            user_id: None,
            ..letter.message.properties().clone()
        };
        let headers = properties.headers.get_or_insert_default();
        headers.retain(|name, _| !WHY.contains(&name.as_str()) && !name.starts_with("x-death"));
        headers.insert(REPLAYS.to_owned(), HeaderValue::Int(i64::from(letter.replays) + 1));
        let body = match &replay.event_type {
            None => delivery.body.clone(),
            Some(event_type) => retyped(&delivery.body, event_type)
                .ok_or("its body is not plain JSON, so its event type cannot be changed")?,
        };
        Ok((properties, body))
    }

    fn send(&self, queue: &str, properties: &Properties, body: &[u8]) -> Result<()> {
        let inner = self.client.inner();
        let deadline = inner.deadline(inner.settings.publish_timeout);
        let message = Outgoing { exchange: "", routing_key: queue, mandatory: true, properties, body };
        let receipt = self.client.waiting(Wait::Room, deadline, || inner.broker.send(&message, deadline))?;
        Ok(receipt.wait(deadline)?)
    }
}

/// What becomes of a letter that was looked at.
enum Fate {
    /// It stays.
    Hold,
    /// It goes.
    Remove,
}

/// The same body with another event type: the first positional argument, in both protocols.
fn retyped(body: &[u8], event_type: &str) -> Option<Vec<u8>> {
    let mut message: Value = serde_json::from_slice(body).ok()?;
    let args = match &mut message {
        Value::Array(parts) => parts.first_mut()?,
        Value::Object(task) => task.get_mut("args")?,
        _ => return None,
    };
    *args.as_array_mut()?.first_mut()? = event_type.into();
    serde_json::to_vec(&message).ok()
}
