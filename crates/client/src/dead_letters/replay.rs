//! Handling dead letters again: into the queue of their service, one after the other, the oldest first.

use std::collections::BTreeSet;

use serde_json::Value;
use zc_events_protocol::{HeaderValue, Properties, names};
use zc_events_transport::{Delivery, Outgoing, Settler};

use super::{DeadLetter, DeadLetters, REPLAYS};
use crate::observe::WaitFor;
use crate::{Error, Result};

/// How often a letter is handled again unless more is asked for.
const MOST_REPLAYS: u32 = 3;
/// What a letter has because it is dead.
const WHY: [&str; 5] = ["x-zc-attempt", "x-zc-attempts", "x-zc-reason", "x-zc-detail", "x-zc-time"];

/// How dead letters are handled again; see [`DeadLetters::replay`].
#[derive(Clone, Debug)]
#[must_use = "it says how, and does nothing by itself"]
pub struct Replay {
    event_type: Option<String>,
    only: Option<BTreeSet<String>>,
    most: u32,
}

impl Replay {
    /// As they are, and each at most 3 times.
    pub fn new() -> Self {
        Self { event_type: None, only: None, most: MOST_REPLAYS }
    }

    /// Under this event type in place of their own.
    pub fn event_type(mut self, event_type: impl Into<String>) -> Self {
        self.event_type = Some(event_type.into());
        self
    }

    /// Only those with these ids; where one of them is not there, nothing is done, and [`Replayed::missing`] names it.
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
    /// Which of those that were [asked for](Replay::only) are not there. Then nothing was done.
    pub missing: Vec<String>,
    /// Why it ended before it had looked at all. The letter that it was at stays, and may be in the service's queue as well
    /// where [`Error::outcome`] says that this is unknown; and what the broker was not told in time comes again.
    pub stopped_by: Option<Error>,
}

impl DeadLetters {
    /// Puts those that `choose` picks into the service's queue once more, the oldest first, with all their attempts before
    /// them. Each is confirmed there before its letter is removed; one that fails again is a dead letter again, and counted.
    ///
    /// Letters that are made meanwhile are left for the next time, so that this ends even where all fail at once.
    ///
    /// # Errors
    /// As for [`EventClient::watch`](crate::EventClient::watch), where nothing is done by then; else see
    /// [`Replayed::stopped_by`]. [`Error::Encode`] for an event type that is empty.
    pub fn replay(&self, replay: &Replay, mut choose: impl FnMut(&DeadLetter) -> bool) -> Result<Replayed> {
        if replay.event_type.as_ref().is_some_and(String::is_empty) {
            return Err(zc_events_protocol::EncodeError::BadName { what: "event type", why: "is empty" }.into());
        }
        let mut replayed = Replayed::default();
        let (look, taken) = self.look()?;
        if let Some(only) = &replay.only {
            let there: BTreeSet<&str> = taken.iter().filter_map(|(letter, _)| letter.id()).collect();
            replayed.missing = only.iter().filter(|id| !there.contains(id.as_str())).cloned().collect();
        }
        let is_meant = |letter: &DeadLetter| match &replay.only {
            None => true,
            Some(only) => letter.id().is_some_and(|id| only.contains(id)),
        };
        let queue = names::events_queue(&self.service);
        let mut held = Vec::new();
        for (letter, delivery) in taken {
            let is_over = replayed.stopped_by.is_some() || !replayed.missing.is_empty();
            if is_over || !is_meant(&letter) || !choose(&letter) {
                held.push(delivery.settler);
                continue;
            }
            if let Some(settler) = self.replay_one(replay, &queue, &letter, delivery, &mut replayed) {
                held.push(settler);
            }
        }
        match look.end(held) {
            Err(error) if replayed.done.is_empty() && replayed.stopped_by.is_none() => return Err(error),
            ended => replayed.stopped_by = replayed.stopped_by.take().or(ended.err()),
        }
        Ok(replayed)
    }

    /// Puts one into the queue, and gives it back where it stays a letter.
    fn replay_one(
        &self,
        replay: &Replay,
        queue: &str,
        letter: &DeadLetter,
        delivery: Delivery,
        replayed: &mut Replayed,
    ) -> Option<Settler> {
        let id = letter.id().unwrap_or_default().to_owned();
        let (properties, body) = match revive(replay, letter, &delivery) {
            Ok(revived) => revived,
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

/// A letter as it goes to the service once more; or why it does not.
fn revive(replay: &Replay, letter: &DeadLetter, delivery: &Delivery) -> Result<(Properties, Vec<u8>), String> {
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
