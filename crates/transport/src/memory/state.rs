//! The state of a server, behind its one lock: exchanges, queues and consumers, and how a message moves between them.
//! It neither waits, nor reads a clock, nor calls code from outside.
//!
//! `declaration`, `connections` and `snapshot` add methods to it.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::Sender;

use super::dead_letter::{self, DeathReason, HeldLetter};
use super::exchange::MemoryExchange;
use super::faults::Faults;
use super::message::{MessageContent, QueuedMessage};
use super::queue::{Admission, MemoryQueue};
use super::queue_consumer::{Consumer, Ended, Taken};
use super::rejection::{expiration, no_exchange, no_queue, unlocked};
use crate::{Error, QuorumPriorities, Result, Verdict};

/// The time of a call, read before the lock is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Instant,
    pub(super) wall: SystemTime,
}

/// The next delivery of a subscription, if any.
pub(super) enum Look {
    Found(Taken),
    /// There is none. Something may change by itself at that time.
    Nothing(Option<Instant>),
    Ended(Ended),
}

#[derive(Debug, Default)]
pub(super) struct ServerState {
    pub(super) exchanges: HashMap<String, MemoryExchange>,
    pub(super) queues: HashMap<Arc<str>, MemoryQueue>,
    pub(super) consumers: HashMap<u64, Consumer>,
    /// When the heads of queues expire.
    pub(super) alarms: BTreeSet<(Instant, Arc<str>)>,
    /// The queues with dead letters that their targets have not accepted.
    holding: BTreeSet<Arc<str>>,
    last_number: u64,
    /// For queues that are declared from now on.
    pub(super) quorum_priorities: QuorumPriorities,
    pub(super) faults: Faults,
    /// The messages that were published since recording began.
    pub(super) record: Option<Vec<Arc<MessageContent>>>,
}

impl ServerState {
    /// A number that was not used before.
    pub(super) fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// # Errors
    /// [`Error::Rejected`], [`Error::Unroutable`] or [`Error::Nacked`].
    pub(super) fn publish(&mut self, content: MessageContent, mandatory: bool, moment: Moment) -> Result<()> {
        let ttl = content.properties.expiration.as_deref().map(expiration).transpose()?;
        let targets =
            self.route(&content.exchange, &content.routing_key).ok_or_else(|| no_exchange(&content.exchange))?;
        if targets.is_empty() && mandatory {
            return Err(Error::Unroutable { exchange: content.exchange, routing_key: content.routing_key });
        }
        let content = Arc::new(content);
        if let Some(record) = &mut self.record {
            record.push(Arc::clone(&content));
        }
        let mut refused = false;
        for name in &targets {
            refused |= self.admit(name, &content, ttl, moment) == Admission::Refused;
        }
        self.advance(targets.into(), moment);
        if refused { Err(Error::Nacked { exchange: content.exchange.clone() }) } else { Ok(()) }
    }

    /// # Errors
    /// [`Error::Rejected`].
    pub(super) fn subscribe(
        &mut self,
        queue: &str,
        connection: u64,
        prefetch: u16,
        wake: Sender<()>,
        moment: Moment,
    ) -> Result<u64> {
        let id = self.number();
        let (name, _) = self.queues.get_key_value(queue).ok_or_else(|| no_queue(queue))?;
        let name = name.clone();
        if let Some(existing) = self.queues.get_mut(queue) {
            unlocked(queue, existing, connection)?;
            existing.consumers.push_back(id);
        }
        self.consumers.insert(id, Consumer::new(name.clone(), connection, prefetch, wake));
        self.advance(VecDeque::from([name]), moment);
        Ok(id)
    }

    /// The next message for a consumer.
    pub(super) fn look(&mut self, consumer: u64) -> Look {
        let Some(consumer) = self.consumers.get_mut(&consumer) else { return Look::Ended(Ended::Closed) };
        match (consumer.ended, consumer.take()) {
            (Some(why), _) => {
                // Other threads that share the subscription are told, too.
                consumer.wake();
                Look::Ended(why)
            }
            (None, Some(taken)) => Look::Found(taken),
            (None, None) => Look::Nothing(self.alarms.first().map(|(when, _)| *when)),
        }
    }

    /// Stops deliveries to a consumer. Messages that it has not given out are requeued.
    pub(super) fn cancel(&mut self, id: u64, moment: Moment) -> Option<Ended> {
        let Some(consumer) = self.consumers.get_mut(&id) else { return Some(Ended::Closed) };
        let ended = consumer.ended;
        let (queue, messages) = (consumer.queue.clone(), consumer.give_back_waiting());
        self.leave(id, queue, messages, moment);
        ended
    }

    /// Ends a consumer. Its unacknowledged messages are requeued.
    pub(super) fn end(&mut self, id: u64, why: Ended, moment: Moment) {
        if let Some(consumer) = self.consumers.get_mut(&id).filter(|consumer| consumer.ended.is_none()) {
            let (queue, messages) = (consumer.queue.clone(), consumer.end(why));
            self.leave(id, queue, messages, moment);
        }
    }

    pub(super) fn settle(&mut self, consumer: u64, tag: u64, verdict: Verdict, moment: Moment) {
        let Some(consumer) = self.consumers.get_mut(&consumer) else { return };
        let Some(message) = consumer.settle(tag) else { return };
        let name = consumer.queue.clone();
        let verdict = if verdict == Verdict::Ack && self.faults.loses_ack(&name, &message.content.body) {
            Verdict::Requeue
        } else {
            verdict
        };
        let Some(queue) = self.queues.get_mut(&name) else { return };
        let mut changed = VecDeque::from([name.clone()]);
        match verdict {
            Verdict::Ack => {}
            Verdict::Requeue => {
                if let Some(dead) = queue.put_back(message) {
                    changed.extend(self.dead_letter(&name, &dead, DeathReason::DeliveryLimit, moment));
                }
            }
            Verdict::Reject => changed.extend(self.dead_letter(&name, &message, DeathReason::Rejected, moment)),
        }
        self.advance(changed, moment);
    }

    /// Deletes a queue and ends its consumers. Returns whether it existed.
    pub(super) fn delete_queue(&mut self, name: &str) -> bool {
        let Some(queue) = self.queues.remove(name) else { return false };
        self.holding.remove(name);
        if let Some(when) = queue.alarm {
            self.alarms.remove(&(when, name.into()));
        }
        self.exchanges.retain(|_, exchange| !exchange.unbind(name));
        for consumer in
            self.consumers.values_mut().filter(|consumer| &*consumer.queue == name && consumer.ended.is_none())
        {
            consumer.end(Ended::Deleted);
        }
        true
    }

    pub(super) fn purge(&mut self, name: &str, moment: Moment) -> Option<usize> {
        let (name, dropped) = self.queues.get_key_value(name).map(|(name, queue)| (name.clone(), queue.len()))?;
        self.queues.get_mut(&name)?.purge();
        self.advance(VecDeque::from([name]), moment);
        Some(dropped)
    }

    /// Expires messages whose time has come.
    pub(super) fn expire(&mut self, moment: Moment) {
        while let Some((when, name)) = self.alarms.first()
            && *when <= moment.now
        {
            self.advance(VecDeque::from([name.clone()]), moment);
        }
    }

    fn leave(&mut self, id: u64, name: Arc<str>, messages: Vec<QueuedMessage>, moment: Moment) {
        let Some(queue) = self.queues.get_mut(&name) else { return };
        queue.consumers.retain(|consumer| *consumer != id);
        let dead: Vec<QueuedMessage> = messages.into_iter().filter_map(|message| queue.put_back(message)).collect();
        let mut changed = VecDeque::from([name.clone()]);
        for message in dead {
            changed.extend(self.dead_letter(&name, &message, DeathReason::DeliveryLimit, moment));
        }
        self.advance(changed, moment);
    }

    /// The queues that a message reaches. `None` if there is no such exchange.
    fn route(&self, exchange: &str, routing_key: &str) -> Option<Vec<Arc<str>>> {
        if exchange.is_empty() {
            return Some(self.queues.get_key_value(routing_key).map(|(name, _)| name.clone()).into_iter().collect());
        }
        self.exchanges.get(exchange).map(|exchange| exchange.route(routing_key))
    }

    fn admit(
        &mut self,
        name: &Arc<str>,
        content: &Arc<MessageContent>,
        ttl: Option<Duration>,
        moment: Moment,
    ) -> Admission {
        let number = self.number();
        match self.queues.get_mut(name) {
            Some(queue) => queue.admit(&mut self.consumers, content.clone(), number, ttl, moment.now),
            None => Admission::Taken,
        }
    }

    /// Delivers and expires messages in these queues, and in those that get their dead letters.
    pub(super) fn advance(&mut self, mut queues: VecDeque<Arc<str>>, moment: Moment) {
        loop {
            while let Some(name) = queues.pop_front() {
                let Some(queue) = self.queues.get_mut(&name) else { continue };
                let dead = queue.advance(&mut self.consumers, moment.now);
                self.set_alarm(&name);
                for (message, reason) in dead {
                    queues.extend(self.dead_letter(&name, &message, reason, moment));
                }
            }
            // This may have made room for held dead letters.
            let holding: Vec<Arc<str>> = self.holding.iter().cloned().collect();
            queues.extend(holding.iter().flat_map(|name| self.send_held(name, moment)));
            if queues.is_empty() {
                return;
            }
        }
    }

    /// Dead-letters a message. Returns the queues that got it, which must be advanced.
    fn dead_letter(
        &mut self,
        name: &Arc<str>,
        dead: &QueuedMessage,
        reason: DeathReason,
        moment: Moment,
    ) -> Vec<Arc<str>> {
        let Some(queue) = self.queues.get_mut(name) else { return Vec::new() };
        let Some(to) = &queue.arguments.dead_letter else { return Vec::new() };
        let content = Arc::new(dead_letter::dead_letter(&dead.content, name, to, reason, moment.wall));
        let mut letter = HeldLetter { content, reason, reached: Vec::new() };
        if queue.arguments.at_least_once {
            queue.letters.push_back(letter);
            self.holding.insert(name.clone());
            return self.send_held(name, moment);
        }
        // As in RabbitMQ, a missing exchange or a target that refuses loses the letter.
        self.send_letter(&mut letter, moment);
        letter.reached
    }

    /// Sends the held dead letters of a queue again. Returns the queues that got one.
    fn send_held(&mut self, name: &Arc<str>, moment: Moment) -> Vec<Arc<str>> {
        let Some(queue) = self.queues.get_mut(name) else { return Vec::new() };
        let mut changed = Vec::new();
        let mut held = VecDeque::new();
        for mut letter in std::mem::take(&mut queue.letters) {
            let before = letter.reached.len();
            let done = self.send_letter(&mut letter, moment);
            changed.extend(letter.reached.iter().skip(before).cloned());
            if !done {
                held.push_back(letter);
            }
        }
        if held.is_empty() {
            self.holding.remove(name);
        }
        if let Some(queue) = self.queues.get_mut(name) {
            queue.letters = held;
        }
        changed
    }

    /// Sends a dead letter to its targets that have not accepted it yet. Returns whether there are targets and all have
    /// accepted it.
    fn send_letter(&mut self, letter: &mut HeldLetter, moment: Moment) -> bool {
        let content = Arc::clone(&letter.content);
        let mut targets = self.route(&content.exchange, &content.routing_key).unwrap_or_default();
        targets.retain(|target| letter.reason == DeathReason::Rejected || !dead_letter::is_cycle(&content, target));
        let mut all = !targets.is_empty();
        for target in targets {
            if letter.reached.contains(&target) {
                continue;
            }
            if self.admit(&target, &content, None, moment) == Admission::Taken {
                letter.reached.push(target);
            } else {
                all = false;
            }
        }
        all
    }

    /// Records when the head of a queue expires. Waiting consumers are woken only if that produces a dead letter.
    fn set_alarm(&mut self, name: &Arc<str>) {
        let Some(queue) = self.queues.get_mut(name) else { return };
        let when = queue.head_expires();
        if when == queue.alarm {
            return;
        }
        if let Some(before) = std::mem::replace(&mut queue.alarm, when) {
            self.alarms.remove(&(before, name.clone()));
        }
        if let Some(when) = when {
            self.alarms.insert((when, name.clone()));
            if queue.arguments.dead_letter.is_some() {
                self.consumers.values().for_each(Consumer::wake);
            }
        }
    }
}
