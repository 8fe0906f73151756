//! The messages that were published on one channel and are not confirmed yet. amiquip reports confirms by delivery tag
//! and returns without one, and gives no tags when publishing, so they are counted here. No I/O.

use std::collections::BTreeMap;
use std::time::Instant;

use crossbeam_channel::Sender;
use zc_events_protocol::Outcome;

use super::in_flight::InFlightPermit;
use crate::{Error, Result};

/// A message that waits for its confirm.
pub(super) struct UnconfirmedMessage {
    pub(super) message_id: String,
    pub(super) exchange: String,
    pub(super) routing_key: String,
    pub(super) returned: bool,
    pub(super) since: Instant,
    /// Released together with the message.
    pub(super) _permit: InFlightPermit,
    /// Where the sender's receipt listens. The receipt may have been dropped.
    pub(super) done: Sender<Result<()>>,
}

/// The unconfirmed messages of a channel, by delivery tag.
#[derive(Default)]
pub(super) struct Unconfirmed {
    last_tag: u64,
    pending: BTreeMap<u64, UnconfirmedMessage>,
    end: Option<String>,
}

impl Unconfirmed {
    /// Adds a message that is about to be published. Returns its delivery tag.
    pub(super) fn add(&mut self, message: UnconfirmedMessage) -> u64 {
        self.last_tag += 1;
        self.pending.insert(self.last_tag, message);
        self.last_tag
    }

    /// Removes a message that could not be published.
    pub(super) fn remove_unsent(&mut self, tag: u64) {
        self.pending.remove(&tag);
    }

    /// The broker has returned a message. Its confirm follows. The message id alone is ambiguous: a message and its
    /// copy to another queue have the same one.
    pub(super) fn mark_returned(&mut self, message_id: &str, exchange: &str, routing_key: &str) {
        let is_it = |message: &&mut UnconfirmedMessage| {
            !message.returned
                && message.message_id == message_id
                && message.exchange == exchange
                && message.routing_key == routing_key
        };
        if let Some(message) = self.pending.values_mut().find(is_it) {
            message.returned = true;
        }
    }

    /// The broker has confirmed one message, or all up to it (`multiple`).
    pub(super) fn settle(&mut self, tag: u64, multiple: bool, ack: bool) {
        let settled = if multiple {
            let later = self.pending.split_off(&tag.saturating_add(1));
            std::mem::replace(&mut self.pending, later)
        } else {
            self.pending.remove(&tag).map(|message| (tag, message)).into_iter().collect()
        };
        for message in settled.into_values() {
            let verdict = match (ack, message.returned) {
                (true, false) => Ok(()),
                (true, true) => Err(Error::Unroutable { exchange: message.exchange, routing_key: message.routing_key }),
                (false, _) => Err(Error::Nacked { exchange: message.exchange }),
            };
            // The receipt may have been dropped.
            let _ = message.done.try_send(verdict);
        }
    }

    /// The channel has ended for the reason `why`, and no more confirms will come. If the reason names an exchange and
    /// exactly one message to it is unconfirmed, the broker has refused that message. If there are several, some may
    /// have been routed, and the broker does not say which one it refused.
    pub(super) fn end(&mut self, why: &str) {
        let why = self.end.get_or_insert_with(|| why.to_owned());
        let pending = std::mem::take(&mut self.pending);
        let refused = pending.values().filter(|message| is_refusal_of(why, &message.exchange)).count();
        for message in pending.into_values() {
            let is_refused = is_refusal_of(why, &message.exchange);
            let error = if is_refused && refused == 1 {
                Error::Rejected {
                    why: format!("publishing to exchange `{}`: the broker refused: {why}", message.exchange),
                }
            } else {
                let what = if is_refused {
                    format!(
                        "publishing to exchange `{}`: the broker refused one of {refused} messages, perhaps this one: {why}",
                        message.exchange
                    )
                } else {
                    "the connection to the broker was lost before the message was confirmed".to_owned()
                };
                Error::Unavailable { what, outcome: Outcome::Unknown, source: Some(why.clone().into()) }
            };
            let _ = message.done.try_send(Err(error));
        }
    }

    /// When the oldest unconfirmed message was sent.
    pub(super) fn oldest_since(&self) -> Option<Instant> {
        self.pending.first_key_value().map(|(_, message)| message.since)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }
}

/// `NOT_FOUND - no exchange 'x' in vhost '/'`, `ACCESS_REFUSED - access to exchange 'x' ...`
fn is_refusal_of(why: &str, exchange: &str) -> bool {
    why.contains(&format!("exchange '{exchange}'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amqp::in_flight::InFlight;
    use crossbeam_channel::{Receiver, bounded};
    use std::time::Duration;
    use zc_events_protocol::{Clock, SystemClock};

    fn message(id: &str) -> (UnconfirmedMessage, Receiver<Result<()>>) {
        let soon = SystemClock.deadline(Duration::ZERO);
        let _permit = InFlight::new(0).acquire(1, &SystemClock, soon).unwrap();
        let since = SystemClock.now();
        let (done, receiver) = bounded(1);
        let (message_id, exchange) = (id.to_owned(), format!("x-{id}"));
        (
            UnconfirmedMessage { message_id, exchange, routing_key: "k".into(), returned: false, since, _permit, done },
            receiver,
        )
    }

    #[test]
    fn a_multiple_confirm_settles_all_messages_before_it() {
        let mut unconfirmed = Unconfirmed::default();
        let receipts: Vec<_> = ["a", "b", "c"]
            .into_iter()
            .map(|id| {
                let (message, receipt) = message(id);
                unconfirmed.add(message);
                receipt
            })
            .collect();
        unconfirmed.settle(2, true, true);
        assert!(receipts[0].try_recv().unwrap().is_ok());
        assert!(receipts[1].try_recv().unwrap().is_ok());
        assert!(receipts[2].try_recv().is_err());
        unconfirmed.settle(3, false, false);
        assert!(matches!(receipts[2].try_recv().unwrap(), Err(Error::Nacked { .. })));
    }

    #[test]
    fn a_return_belongs_to_the_message_with_its_id() {
        let mut unconfirmed = Unconfirmed::default();
        let (first, kept) = message("a");
        let (second, lost) = message("b");
        unconfirmed.add(first);
        unconfirmed.add(second);
        unconfirmed.mark_returned("b", "x-b", "k");
        unconfirmed.settle(2, true, true);
        assert!(kept.try_recv().unwrap().is_ok());
        assert!(matches!(lost.try_recv().unwrap(), Err(Error::Unroutable { routing_key, .. }) if routing_key == "k"));
    }

    #[test]
    fn a_return_of_a_copy_is_no_return_of_the_original_or_another_copy() {
        for (which, exchange, routing_key) in [(0, "x-a", "k"), (1, "", "retry"), (2, "", "dead"), (3, "x-a", "retry")]
        {
            let mut unconfirmed = Unconfirmed::default();
            let receipts =
                [("x-a", "k"), ("", "retry"), ("", "dead"), ("x-a", "retry")].map(|(exchange, routing_key)| {
                    let (copy, receipt) = message("a");
                    unconfirmed.add(UnconfirmedMessage {
                        exchange: exchange.into(),
                        routing_key: routing_key.into(),
                        ..copy
                    });
                    receipt
                });
            unconfirmed.mark_returned("a", exchange, routing_key);
            unconfirmed.settle(4, true, true);
            for (index, receipt) in receipts.into_iter().enumerate() {
                let verdict = receipt.try_recv().unwrap();
                assert_eq!(verdict.is_err(), index == which, "{index} of {exchange}, {routing_key}: {verdict:?}");
            }
        }
    }

    #[test]
    fn the_end_of_a_channel_rejects_the_refused_message_and_leaves_the_others_unknown() {
        let mut unconfirmed = Unconfirmed::default();
        let (refused, refusal) = message("a");
        let (other, unknown) = message("b");
        unconfirmed.add(refused);
        unconfirmed.add(other);
        unconfirmed.end("NOT_FOUND - no exchange 'x-a' in vhost '/'");
        assert!(matches!(refusal.try_recv().unwrap(), Err(Error::Rejected { .. })));
        assert_eq!(unknown.try_recv().unwrap().unwrap_err().outcome(), Outcome::Unknown);
        assert!(unconfirmed.has_ended());
    }

    /// The broker may have routed the first ones before the exchange was deleted.
    #[test]
    fn several_messages_to_a_refused_exchange_have_an_unknown_outcome() {
        let mut unconfirmed = Unconfirmed::default();
        let mut receipts = Vec::new();
        for _ in 0..3 {
            let (message, receipt) = message("a");
            unconfirmed.add(message);
            receipts.push(receipt);
        }
        let (other, receipt) = message("b");
        unconfirmed.add(other);
        unconfirmed.settle(1, false, true);
        unconfirmed.end("NOT_FOUND - no exchange 'x-a' in vhost '/'");
        assert!(receipts[0].try_recv().unwrap().is_ok());
        for receipt in &receipts[1..] {
            let error = receipt.try_recv().unwrap().unwrap_err();
            assert_eq!(error.outcome(), Outcome::Unknown, "{error:?}");
            assert!(matches!(&error, Error::Unavailable { what, .. } if what.contains("no exchange 'x-a'")), "{error}");
        }
        let error = receipt.try_recv().unwrap().unwrap_err();
        assert!(error.outcome() == Outcome::Unknown && !error.to_string().contains("x-a"), "{error}");
    }

    #[test]
    fn a_message_that_was_not_sent_keeps_its_delivery_tag() {
        let mut unconfirmed = Unconfirmed::default();
        let (first, _first) = message("a");
        let (second, receipt) = message("b");
        let tag = unconfirmed.add(first);
        unconfirmed.remove_unsent(tag);
        assert_eq!(unconfirmed.add(second), 2);
        unconfirmed.settle(2, false, true);
        assert!(receipt.try_recv().unwrap().is_ok());
    }
}
