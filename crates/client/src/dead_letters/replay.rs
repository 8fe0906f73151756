//! Replays dead letters: publishes them to the queue of their service again, one after the other, the oldest first.

use std::collections::BTreeSet;

use serde_json::Value;
use zc_events_protocol::{HeaderValue, Properties, names};
use zc_events_transport::{Delivery, Outgoing, Settler};

use super::dead_letter::{DeadLetter, REPLAYS};
use super::dead_letter_queue::DeadLetters;
use crate::observe::WaitFor;
use crate::{Error, Result};

/// How often a dead letter is replayed by default.
const MAX_REPLAYS: u32 = 3;
/// The headers of a dead letter, which are removed.
const DEAD_LETTER_HEADERS: [&str; 5] = ["x-zc-attempt", "x-zc-attempts", "x-zc-reason", "x-zc-detail", "x-zc-time"];

/// The options of a replay; see [`DeadLetters::replay`].
#[derive(Clone, Debug)]
#[must_use = "options do nothing by themselves"]
pub struct Replay {
    event_type: Option<String>,
    only: Option<BTreeSet<String>>,
    max_replays: u32,
}

impl Replay {
    /// Replays dead letters unchanged, each at most 3 times.
    pub fn new() -> Self {
        Self { event_type: None, only: None, max_replays: MAX_REPLAYS }
    }

    /// Replaces the event type.
    pub fn event_type(mut self, event_type: impl Into<String>) -> Self {
        self.event_type = Some(event_type.into());
        self
    }

    /// Replays only the dead letters with these ids. If one of them is missing, nothing is replayed, and
    /// [`Replayed::missing`] names it.
    ///
    /// ```
    /// use zc_events::{EventClient, Replay, Settings};
    /// let settings = Settings::builder().broker_url("memory://").staging_name("test").service_name("orders").build()?;
    /// let letters = EventClient::new(settings)?.dead_letters()?;
    /// assert_eq!(letters.replay(&Replay::new().only(["1"]), |_| true)?.missing, ["1"]);
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    pub fn only<I>(mut self, ids: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.only = Some(ids.into_iter().map(Into::into).collect());
        self
    }

    /// Sets how often a dead letter may be replayed; 3 by default.
    pub fn max_replays(mut self, max_replays: u32) -> Self {
        self.max_replays = max_replays;
        self
    }
}

impl Default for Replay {
    fn default() -> Self {
        Self::new()
    }
}

/// The result of a replay.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Replayed {
    /// The ids of the dead letters that were replayed: they are in the queue of the service now.
    pub done: Vec<String>,
    /// The ids of the dead letters that were not replayed, with the reasons.
    pub left: Vec<(String, String)>,
    /// The [requested](Replay::only) ids that are missing. If there are any, nothing was replayed.
    pub missing: Vec<String>,
    /// The error that ended the replay early. The current dead letter stays. It may also be in the queue of the service, if
    /// [`Error::outcome`] is unknown. Replayed dead letters may come again if the broker missed their acknowledgements.
    pub stopped_by: Option<Error>,
}

impl DeadLetters {
    /// Publishes the dead letters for which `choose` returns true to the queue of the service, the oldest first, with all
    /// attempts available again. The broker confirms each before its dead letter is deleted. A message that fails again
    /// becomes a dead letter again, and its replays are counted.
    ///
    /// Dead letters that are created during the replay are not replayed, so the replay ends even if every message fails.
    ///
    /// # Errors
    /// As for [`EventClient::watch`](crate::EventClient::watch), if nothing was replayed yet; otherwise see
    /// [`Replayed::stopped_by`]. [`Error::Encode`] for an empty event type.
    pub fn replay(&self, replay: &Replay, mut choose: impl FnMut(&DeadLetter) -> bool) -> Result<Replayed> {
        if replay.event_type.as_ref().is_some_and(String::is_empty) {
            return Err(zc_events_protocol::EncodeError::BadName { what: "event type", why: "is empty" }.into());
        }
        let mut replayed = Replayed::default();
        let (reading, taken) = self.read()?;
        if let Some(only) = &replay.only {
            let there: BTreeSet<&str> = taken.iter().filter_map(|(letter, _)| letter.id()).collect();
            replayed.missing = only.iter().filter(|id| !there.contains(id.as_str())).cloned().collect();
        }
        let is_requested = |letter: &DeadLetter| match &replay.only {
            None => true,
            Some(only) => letter.id().is_some_and(|id| only.contains(id)),
        };
        let queue = names::events_queue(&self.service);
        let mut held = Vec::new();
        for (letter, delivery) in taken {
            let is_over = replayed.stopped_by.is_some() || !replayed.missing.is_empty();
            if is_over || !is_requested(&letter) || !choose(&letter) {
                held.push(delivery.settler);
                continue;
            }
            if let Some(settler) = self.replay_one(replay, &queue, &letter, delivery, &mut replayed) {
                held.push(settler);
            }
        }
        match reading.end(held) {
            Err(error) if replayed.done.is_empty() && replayed.stopped_by.is_none() => return Err(error),
            ended => replayed.stopped_by = replayed.stopped_by.take().or(ended.err()),
        }
        Ok(replayed)
    }

    /// Replays one dead letter. Returns its settler if it stays a dead letter.
    fn replay_one(
        &self,
        replay: &Replay,
        queue: &str,
        letter: &DeadLetter,
        delivery: Delivery,
        replayed: &mut Replayed,
    ) -> Option<Settler> {
        let id = letter.id().unwrap_or_default().to_owned();
        let (properties, body) = match message_of(replay, letter, &delivery) {
            Ok(message) => message,
            Err(why) => {
                replayed.left.push((id, why));
                return Some(delivery.settler);
            }
        };
        match self.send(queue, &properties, &body) {
            Ok(()) => {
                replayed.done.push(id);
                delivery.settler.ack();
                None
            }
            Err(error) => {
                replayed.left.push((id, error.to_string()));
                replayed.stopped_by = Some(error);
                Some(delivery.settler)
            }
        }
    }

    fn send(&self, queue: &str, properties: &Properties, body: &[u8]) -> Result<()> {
        let inner = self.client.inner();
        let deadline = inner.deadline(inner.settings.publish_timeout);
        let message = Outgoing { exchange: "", routing_key: queue, mandatory: true, properties, body };
        let receipt = self.client.waiting(WaitFor::Send, deadline, || inner.broker.send(&message, deadline))?;
        Ok(receipt.wait(deadline)?)
    }
}

/// The message to publish for a dead letter, or why it is not replayed.
fn message_of(replay: &Replay, letter: &DeadLetter, delivery: &Delivery) -> Result<(Properties, Vec<u8>), String> {
    if letter.replays >= replay.max_replays {
        return Err(format!("it was already replayed {} times", letter.replays));
    }
    let mut properties = Properties {
        delivery_mode: Some(2),
        // An expiration would end the copy, and the broker refuses a foreign user id.
        expiration: None,
        user_id: None,
        ..letter.message.properties().clone()
    };
    let headers = properties.headers.get_or_insert_default();
    headers.retain(|name, _| !DEAD_LETTER_HEADERS.contains(&name.as_str()) && !name.starts_with("x-death"));
    headers.insert(REPLAYS.to_owned(), HeaderValue::Int(i64::from(letter.replays) + 1));
    let body = match &replay.event_type {
        None => delivery.body.clone(),
        Some(event_type) => with_event_type(&delivery.body, event_type)
            .ok_or("its body is not plain JSON, so its event type cannot be changed")?,
    };
    Ok((properties, body))
}

/// The body with another event type, which is the first positional argument in both protocols.
fn with_event_type(body: &[u8], event_type: &str) -> Option<Vec<u8>> {
    let mut message: Value = serde_json::from_slice(body).ok()?;
    let args = match &mut message {
        Value::Array(parts) => parts.first_mut()?,
        Value::Object(task) => task.get_mut("args")?,
        _ => return None,
    };
    *args.as_array_mut()?.first_mut()? = event_type.into();
    serde_json::to_vec(&message).ok()
}
