//! A queue: the messages that are ready, in order, and which consumer is next. Unacknowledged messages belong to their
//! consumers; see `queue_consumer`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::arguments::QueueArguments;
use super::dead_letter::{DeathReason, HeldLetter};
use super::difference::{difference, shown};
use super::message::{MessageContent, QueuedMessage};
use super::queue_consumer::Consumer;
use crate::{Difference, QuorumPriorities};

/// Whether a queue accepted a new message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Taken,
    /// The queue is full and refuses new messages.
    Refused,
}

#[derive(Debug)]
pub(super) struct MemoryQueue {
    pub(super) arguments: QueueArguments,
    /// The connection that an exclusive queue belongs to.
    pub(super) owner: Option<u64>,
    /// When its head expires, as entered in the server's list of alarms.
    pub(super) alarm: Option<Instant>,
    /// Its consumers. The next one to get a message is in front.
    pub(super) consumers: VecDeque<u64>,
    /// Dead letters that stay until their targets accept them.
    pub(super) letters: VecDeque<HeldLetter>,
    /// The declaration, for comparison.
    pub(super) declared: crate::Queue,
    quorum_priorities: QuorumPriorities,
    ready: BTreeMap<Position, QueuedMessage>,
    /// How many of the last deliveries had a high priority; see [`QuorumPriorities::TwoLevels`].
    high_in_a_row: u8,
}

/// The position of a message: by priority, then by age.
type Position = (Reverse<u8>, u64);

/// The priorities of a quorum queue that honours them.
const NORMAL: u8 = 0;
const HIGH: u8 = 1;
/// How many messages of high priority are delivered for one of normal priority.
const HIGH_PER_NORMAL: u8 = 2;

impl MemoryQueue {
    pub(super) fn new(
        arguments: QueueArguments,
        declared: crate::Queue,
        owner: Option<u64>,
        quorum_priorities: QuorumPriorities,
    ) -> Self {
        Self {
            arguments,
            owner,
            alarm: None,
            consumers: VecDeque::new(),
            letters: VecDeque::new(),
            declared,
            quorum_priorities,
            ready: BTreeMap::new(),
            high_in_a_row: 0,
        }
    }

    /// How many messages are ready, or wait for their dead letter targets.
    pub(super) fn len(&self) -> usize {
        self.ready.len() + self.letters.len()
    }

    /// Drops the messages that are ready.
    pub(super) fn purge(&mut self) {
        self.ready.clear();
    }

    /// How this queue differs from a declaration. A queue that matches the fallback does not differ.
    pub(super) fn differences(&self, wanted: &crate::Queue) -> Vec<Difference> {
        let there = &self.declared;
        let mut differences = Vec::new();
        if wanted.durable != there.durable {
            differences.push(difference("durable", &wanted.durable.to_string(), &there.durable.to_string()));
        }
        if wanted.fallback.as_ref() == Some(&there.arguments) {
            return differences;
        }
        let keys =
            wanted.arguments.keys().chain(there.arguments.keys().filter(|key| !wanted.arguments.contains_key(*key)));
        for key in keys.filter(|key| wanted.arguments.get(*key) != there.arguments.get(*key)) {
            differences.push(difference(key, &shown(&wanted.arguments, key), &shown(&there.arguments, key)));
        }
        differences
    }

    /// Drops messages that are not persistent. A quorum queue keeps all messages.
    pub(super) fn drop_transient(&mut self) {
        const PERSISTENT: Option<u8> = Some(2);
        if !self.arguments.quorum {
            self.ready.retain(|_, message| message.content.properties.delivery_mode == PERSISTENT);
        }
    }

    /// When the message at the head expires.
    pub(super) fn head_expires(&self) -> Option<Instant> {
        self.ready.get(&self.head()?)?.expires
    }

    /// Accepts a new message. If the queue is empty and a consumer has room, the consumer gets it at once: that is the
    /// only way to deliver a message with a time to live of 0 ms.
    pub(super) fn admit(
        &mut self,
        consumers: &mut HashMap<u64, Consumer>,
        content: Arc<MessageContent>,
        number: u64,
        ttl: Option<Duration>,
        now: Instant,
    ) -> Admission {
        let ttl = ttl.into_iter().chain(self.arguments.ttl).min();
        let priority = self.effective_priority(content.properties.priority.unwrap_or(0));
        let expires = ttl.and_then(|ttl| now.checked_add(ttl));
        let message = QueuedMessage { number, priority, redelivered: false, returns: 0, expires, content };
        if self.ready.is_empty()
            && let Some(consumer) = self.turn(consumers)
        {
            consumer.hand(message);
            return Admission::Taken;
        }
        let full = self.arguments.max_length.is_some_and(|max| self.len() >= max);
        if full && self.arguments.refuses_when_full {
            return Admission::Refused;
        }
        self.put(message);
        Admission::Taken
    }

    /// Requeues a message at its old position. Returns it if it was requeued too often.
    pub(super) fn put_back(&mut self, message: QueuedMessage) -> Option<QueuedMessage> {
        let message = QueuedMessage { redelivered: true, returns: message.returns + 1, ..message };
        if self.arguments.delivery_limit.is_some_and(|limit| message.returns > limit) {
            return Some(message);
        }
        self.put(message);
        None
    }

    /// Delivers as many messages as consumers have room for, and returns the messages to dead-letter: those that
    /// expired at the head, and those above the maximum length. As in RabbitMQ, a message expires only when it is at
    /// the head.
    pub(super) fn advance(
        &mut self,
        consumers: &mut HashMap<u64, Consumer>,
        now: Instant,
    ) -> Vec<(QueuedMessage, DeathReason)> {
        let mut dead = Vec::new();
        while let Some(head) = self.head() {
            if self.ready.get(&head).is_some_and(|message| message.has_expired(now)) {
                dead.extend(self.ready.remove(&head).map(|message| (message, DeathReason::Expired)));
                continue;
            }
            let Some(consumer) = self.turn(consumers) else { break };
            if let Some(message) = self.ready.remove(&head) {
                self.high_in_a_row = if message.priority == HIGH { self.high_in_a_row.saturating_add(1) } else { 0 };
                consumer.hand(message);
            }
        }
        let max = self.arguments.max_length.unwrap_or(usize::MAX);
        while !self.arguments.refuses_when_full && self.ready.len() > max {
            dead.extend(self.ready.pop_first().map(|(_, message)| (message, DeathReason::MaxLength)));
        }
        dead
    }

    /// How this queue honours the priority of a message.
    fn effective_priority(&self, priority: u8) -> u8 {
        match (self.arguments.quorum, self.quorum_priorities) {
            (true, QuorumPriorities::TwoLevels) if priority > QuorumPriorities::HIGHEST_NORMAL => HIGH,
            (true, _) => NORMAL,
            (false, _) => self.arguments.max_priority.map_or(0, |max| priority.min(max)),
        }
    }

    /// The position of the next message to deliver.
    fn head(&self) -> Option<Position> {
        let normal_is_due = self.arguments.quorum && self.high_in_a_row >= HIGH_PER_NORMAL;
        let normal = normal_is_due.then(|| self.ready.range((Reverse(NORMAL), 0)..).next()).flatten();
        normal.or_else(|| self.ready.iter().next()).map(|(position, _)| *position)
    }

    fn put(&mut self, message: QueuedMessage) {
        self.ready.insert((Reverse(message.priority), message.number), message);
    }

    /// The next consumer with room. It moves to the end of the list.
    fn turn<'c>(&mut self, consumers: &'c mut HashMap<u64, Consumer>) -> Option<&'c mut Consumer> {
        let position = self.consumers.iter().position(|id| consumers.get(id).is_some_and(Consumer::has_room))?;
        let id = self.consumers.remove(position)?;
        self.consumers.push_back(id);
        consumers.get_mut(&id)
    }
}
