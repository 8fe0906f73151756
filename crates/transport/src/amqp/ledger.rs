//! The book of what was published on one channel and not yet confirmed. amiquip tells
//! confirms by number and returns without one, and gives no numbers when publishing: they
//! are counted here. No I/O.

use std::collections::BTreeMap;
use std::time::Instant;

use crossbeam_channel::Sender;
use zc_events_protocol::Outcome;

use super::in_flight::Room;
use crate::{Error, Result};

/// A message that waits for its confirm.
pub(super) struct Entry {
    pub(super) message_id: String,
    pub(super) exchange: String,
    pub(super) routing_key: String,
    pub(super) returned: bool,
    pub(super) since: Instant,
    /// Given back with the entry.
    pub(super) _room: Room,
    /// Where the sender's receipt listens; it may be gone.
    pub(super) done: Sender<Result<()>>,
}

/// What is out on a channel.
#[derive(Default)]
pub(super) struct Ledger {
    last_tag: u64,
    pending: BTreeMap<u64, Entry>,
    end: Option<String>,
}

impl Ledger {
    /// Enters a message that is about to be published. Returns its delivery tag.
    pub(super) fn enter(&mut self, entry: Entry) -> u64 {
        self.last_tag += 1;
        self.pending.insert(self.last_tag, entry);
        self.last_tag
    }

    /// Takes back an entry whose publishing failed.
    pub(super) fn strike(&mut self, tag: u64) {
        self.pending.remove(&tag);
    }

    /// The broker has given back a message. Its confirm follows. The id alone does not tell
    /// which: an event and a copy of it on its way to another queue have the same one.
    pub(super) fn returned(&mut self, message_id: &str, exchange: &str, routing_key: &str) {
        let is_it = |entry: &&mut Entry| {
            !entry.returned
                && entry.message_id == message_id
                && entry.exchange == exchange
                && entry.routing_key == routing_key
        };
        if let Some(entry) = self.pending.values_mut().find(is_it) {
            entry.returned = true;
        }
    }

    /// The broker has answered for one message, or for all up to it.
    pub(super) fn confirmed(&mut self, tag: u64, multiple: bool, ack: bool) {
        let settled = if multiple {
            let later = self.pending.split_off(&tag.saturating_add(1));
            std::mem::replace(&mut self.pending, later)
        } else {
            self.pending.remove(&tag).map(|entry| (tag, entry)).into_iter().collect()
        };
        for entry in settled.into_values() {
            let verdict = match (ack, entry.returned) {
                (true, false) => Ok(()),
                (true, true) => Err(Error::Unroutable { exchange: entry.exchange, routing_key: entry.routing_key }),
                (false, _) => Err(Error::Nacked { exchange: entry.exchange }),
            };
            // The receipt may have been dropped.
            let _ = entry.done.try_send(verdict);
        }
    }

    /// The channel is gone, for the reason `why`: nothing will be confirmed any more. Where
    /// it names an exchange and one message to that is out, that message was refused and not
    /// sent. Of several, some may have been routed before, and it does not say which was refused.
    pub(super) fn end(&mut self, why: &str) {
        let why = self.end.get_or_insert_with(|| why.to_owned());
        let pending = std::mem::take(&mut self.pending);
        let refused = pending.values().filter(|entry| is_refusal_of(why, &entry.exchange)).count();
        for entry in pending.into_values() {
            let is_refused = is_refusal_of(why, &entry.exchange);
            let error = if is_refused && refused == 1 {
                Error::Rejected {
                    why: format!("publishing to exchange `{}`: the broker refused: {why}", entry.exchange),
                }
            } else {
                let what = if is_refused {
                    format!(
                        "publishing to exchange `{}`: the broker refused one of {refused} messages, perhaps this one: {why}",
                        entry.exchange
                    )
                } else {
                    "the connection to the broker was lost before the message was confirmed".to_owned()
                };
                Error::Unavailable { what, outcome: Outcome::Unknown, source: Some(why.clone().into()) }
            };
            let _ = entry.done.try_send(Err(error));
        }
    }

    /// Since when the oldest message waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.pending.first_key_value().map(|(_, entry)| entry.since)
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

    fn entry(id: &str) -> (Entry, Receiver<Result<()>>) {
        let soon = SystemClock.deadline(Duration::ZERO);
        let _room = InFlight::new(0).room(1, &SystemClock, soon).unwrap();
        let since = SystemClock.now();
        let (done, receiver) = bounded(1);
        let (message_id, exchange) = (id.to_owned(), format!("x-{id}"));
        (Entry { message_id, exchange, routing_key: "k".into(), returned: false, since, _room, done }, receiver)
    }

    #[test]
    fn one_confirm_settles_all_before_it() {
        let mut ledger = Ledger::default();
        let receipts: Vec<_> = ["a", "b", "c"]
            .into_iter()
            .map(|id| {
                let (entry, receipt) = entry(id);
                ledger.enter(entry);
                receipt
            })
            .collect();
        ledger.confirmed(2, true, true);
        assert!(receipts[0].try_recv().unwrap().is_ok());
        assert!(receipts[1].try_recv().unwrap().is_ok());
        assert!(receipts[2].try_recv().is_err());
        ledger.confirmed(3, false, false);
        assert!(matches!(receipts[2].try_recv().unwrap(), Err(Error::Nacked { .. })));
    }

    #[test]
    fn a_return_belongs_to_the_message_with_its_id() {
        let mut ledger = Ledger::default();
        let (first, kept) = entry("a");
        let (second, lost) = entry("b");
        ledger.enter(first);
        ledger.enter(second);
        ledger.returned("b", "x-b", "k");
        ledger.confirmed(2, true, true);
        assert!(kept.try_recv().unwrap().is_ok());
        assert!(matches!(lost.try_recv().unwrap(), Err(Error::Unroutable { routing_key, .. }) if routing_key == "k"));
    }

    #[test]
    fn a_return_of_a_copy_is_not_one_of_the_original_nor_of_another_copy() {
        for (which, exchange, routing_key) in [(0, "x-a", "k"), (1, "", "retry"), (2, "", "dead"), (3, "x-a", "retry")]
        {
            let mut ledger = Ledger::default();
            let receipts =
                [("x-a", "k"), ("", "retry"), ("", "dead"), ("x-a", "retry")].map(|(exchange, routing_key)| {
                    let (copy, receipt) = entry("a");
                    ledger.enter(Entry { exchange: exchange.into(), routing_key: routing_key.into(), ..copy });
                    receipt
                });
            ledger.returned("a", exchange, routing_key);
            ledger.confirmed(4, true, true);
            for (index, receipt) in receipts.into_iter().enumerate() {
                let verdict = receipt.try_recv().unwrap();
                assert_eq!(verdict.is_err(), index == which, "{index} of {exchange}, {routing_key}: {verdict:?}");
            }
        }
    }

    #[test]
    fn an_end_is_a_refusal_of_one_and_unknown_to_the_others() {
        let mut ledger = Ledger::default();
        let (refused, refusal) = entry("a");
        let (other, unknown) = entry("b");
        ledger.enter(refused);
        ledger.enter(other);
        ledger.end("NOT_FOUND - no exchange 'x-a' in vhost '/'");
        assert!(matches!(refusal.try_recv().unwrap(), Err(Error::Rejected { .. })));
        assert_eq!(unknown.try_recv().unwrap().unwrap_err().outcome(), Outcome::Unknown);
        assert!(ledger.has_ended());
    }

    /// The broker may have routed the first ones before the exchange was deleted.
    #[test]
    fn of_several_messages_to_a_refused_exchange_none_is_said_to_be_not_sent() {
        let mut ledger = Ledger::default();
        let mut receipts = Vec::new();
        for _ in 0..3 {
            let (entry, receipt) = entry("a");
            ledger.enter(entry);
            receipts.push(receipt);
        }
        let (other, receipt) = entry("b");
        ledger.enter(other);
        ledger.confirmed(1, false, true);
        ledger.end("NOT_FOUND - no exchange 'x-a' in vhost '/'");
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
    fn a_struck_entry_keeps_the_count() {
        let mut ledger = Ledger::default();
        let (first, _first) = entry("a");
        let (second, receipt) = entry("b");
        let tag = ledger.enter(first);
        ledger.strike(tag);
        assert_eq!(ledger.enter(second), 2);
        ledger.confirmed(2, false, true);
        assert!(receipt.try_recv().unwrap().is_ok());
    }
}
