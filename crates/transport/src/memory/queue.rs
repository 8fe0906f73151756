//! A queue: the messages that are ready, in their order, and whose turn it is to get
//! one. What is out with consumers is theirs; see `consumer`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zc_events_protocol::Properties;

use super::arguments::Arguments;
use super::consumer::Consumer;
use super::dead_letter::Reason;

/// What was published, shared by all queues that it reached.
pub(super) struct Content {
    pub(super) exchange: String,
    pub(super) routing_key: String,
    pub(super) properties: Properties,
    pub(super) body: Vec<u8>,
}

impl fmt::Debug for Content {
    /// Without the body, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("exchange", &self.exchange)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A message in one queue.
#[derive(Debug)]
pub(super) struct Message {
    /// Its place: a message that comes back takes it again.
    pub(super) number: u64,
    pub(super) priority: u8,
    pub(super) redelivered: bool,
    /// How often it came back.
    pub(super) returns: u64,
    pub(super) expires: Option<Instant>,
    pub(super) content: Arc<Content>,
}

impl Message {
    fn has_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// A dead letter that has not reached all of its targets.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) content: Arc<Content>,
    pub(super) reason: Reason,
    pub(super) reached: Vec<Arc<str>>,
}

/// What a queue did with a new message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Taken,
    /// It is full and refuses new ones.
    Refused,
}

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) arguments: Arguments,
    /// The connection that an exclusive queue belongs to.
    pub(super) owner: Option<u64>,
    /// When its head expires, as noted in the state's list of alarms.
    pub(super) alarm: Option<Instant>,
    /// Consumers that want messages, the next one whose turn it is in front.
    pub(super) consumers: VecDeque<u64>,
    /// Letters that stay until their targets take them.
    pub(super) letters: VecDeque<Letter>,
    /// As it was declared, for comparison.
    pub(super) declared: crate::Queue,
    ready: BTreeMap<(Reverse<u8>, u64), Message>,
}

impl Queue {
    pub(super) fn new(arguments: Arguments, declared: crate::Queue, owner: Option<u64>) -> Self {
        Self {
            arguments,
            owner,
            alarm: None,
            consumers: VecDeque::new(),
            letters: VecDeque::new(),
            declared,
            ready: BTreeMap::new(),
        }
    }

    /// How many messages are ready, or wait for their dead letter target.
    pub(super) fn len(&self) -> usize {
        self.ready.len() + self.letters.len()
    }

    /// Drops what is ready.
    pub(super) fn purge(&mut self) -> usize {
        std::mem::take(&mut self.ready).len()
    }

    /// Drops what is not persistent. A quorum queue keeps all.
    pub(super) fn drop_transient(&mut self) {
        const PERSISTENT: Option<u8> = Some(2);
        if !self.arguments.quorum {
            self.ready.retain(|_, message| message.content.properties.delivery_mode == PERSISTENT);
        }
    }

    /// When the message at the head expires.
    pub(super) fn head_expires(&self) -> Option<Instant> {
        self.ready.first_key_value().and_then(|(_, message)| message.expires)
    }

    /// Takes a new message, straight to a consumer where one has room: that is the only
    /// way out for a message that lives for 0 ms.
    pub(super) fn admit(
        &mut self,
        consumers: &mut HashMap<u64, Consumer>,
        content: Arc<Content>,
        number: u64,
        ttl: Option<Duration>,
        now: Instant,
    ) -> Admission {
        let ttl = ttl.into_iter().chain(self.arguments.ttl).min();
        let priority = match self.arguments.max_priority {
            Some(max) => content.properties.priority.unwrap_or(0).min(max),
            None => 0,
        };
        let expires = ttl.and_then(|ttl| now.checked_add(ttl));
        let message = Message { number, priority, redelivered: false, returns: 0, expires, content };
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

    /// Takes a message back that was out, to where it came from; or gives it on where it
    /// came back too often.
    pub(super) fn put_back(&mut self, message: Message) -> Option<Message> {
        let message = Message { redelivered: true, returns: message.returns + 1, ..message };
        if self.arguments.delivery_limit.is_some_and(|limit| message.returns > limit) {
            return Some(message);
        }
        self.put(message);
        None
    }

    /// Hands out what consumers have room for, and gives back what has died: what
    /// expired when it was at the head, and what is too much. As in RabbitMQ, a message
    /// behind one that still lives does not expire before it is at the head.
    pub(super) fn advance(&mut self, consumers: &mut HashMap<u64, Consumer>, now: Instant) -> Vec<(Message, Reason)> {
        let mut dead = Vec::new();
        while let Some(head) = self.ready.first_entry() {
            if head.get().has_expired(now) {
                dead.push((head.remove(), Reason::Expired));
                continue;
            }
            let Some(consumer) = self.turn(consumers) else { break };
            if let Some((_, message)) = self.ready.pop_first() {
                consumer.hand(message);
            }
        }
        let max = self.arguments.max_length.unwrap_or(usize::MAX);
        while !self.arguments.refuses_when_full && self.ready.len() > max {
            dead.extend(self.ready.pop_first().map(|(_, message)| (message, Reason::TooMany)));
        }
        dead
    }

    fn put(&mut self, message: Message) {
        self.ready.insert((Reverse(message.priority), message.number), message);
    }

    /// The next consumer with room; it goes to the end of the line.
    fn turn<'c>(&mut self, consumers: &'c mut HashMap<u64, Consumer>) -> Option<&'c mut Consumer> {
        let position = self.consumers.iter().position(|id| consumers.get(id).is_some_and(Consumer::has_room))?;
        let id = self.consumers.remove(position)?;
        self.consumers.push_back(id);
        consumers.get_mut(&id)
    }
}
