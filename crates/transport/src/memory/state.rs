//! Everything the broker knows, behind its one lock: which exchanges, queues and
//! consumers there are, and how a message moves between them. Nothing here waits, reads
//! a clock, or calls code from outside.

mod inspect;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::Sender;

use super::arguments::Arguments;
use super::consumer::{Consumer, Ended, Taken};
use super::dead_letter::{self, Reason};
use super::exchange::Exchange;
use super::faults::Faults;
use super::queue::{Admission, Content, Letter, Message, Queue};
use crate::{Binding, Error, Result, Topology, Verdict};
pub(super) use inspect::difference;

/// The time at which something happens, read before the lock was taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Instant,
    pub(super) wall: SystemTime,
}

/// What a subscription finds when it looks.
pub(super) enum Look {
    Found(Taken),
    /// Nothing; something may change by itself at that time.
    Nothing(Option<Instant>),
    Ended(Ended),
}

#[derive(Debug, Default)]
pub(super) struct State {
    exchanges: HashMap<String, Exchange>,
    queues: HashMap<Arc<str>, Queue>,
    consumers: HashMap<u64, Consumer>,
    /// When the heads of queues expire.
    alarms: BTreeSet<(Instant, Arc<str>)>,
    /// The queues with letters whose targets have not taken them.
    holding: BTreeSet<Arc<str>>,
    last_number: u64,
    pub(super) faults: Faults,
    /// What was published since somebody asked for it.
    pub(super) record: Option<Vec<Arc<Content>>>,
}

impl State {
    /// A number that was not used before.
    pub(super) fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// # Errors
    /// [`Error::Rejected`]; what came before in the topology is there then.
    pub(super) fn declare(&mut self, topology: &Topology, connection: u64, moment: Moment) -> Result<()> {
        let declared = self.make(topology, connection);
        // A letter may have a target now.
        self.advance(VecDeque::new(), moment);
        declared
    }

    fn make(&mut self, topology: &Topology, connection: u64) -> Result<()> {
        for exchange in &topology.exchanges {
            if exchange.name.is_empty() {
                return Err(rejected(
                    "ACCESS_REFUSED - the default exchange cannot be declared: it is there".to_owned(),
                ));
            }
            let existing = self.exchanges.entry(exchange.name.clone()).or_insert_with(|| Exchange::new(exchange));
            if existing.kind() != exchange.kind {
                return Err(rejected(format!(
                    "PRECONDITION_FAILED - exchange '{}' exists, but is no {} exchange: use another name (EVENTS_EXCHANGE, NOTIFICATIONS_EXCHANGE)",
                    exchange.name,
                    exchange.kind.as_str()
                )));
            }
        }
        for queue in &topology.queues {
            if queue.name.is_empty() {
                return Err(rejected("a queue needs a name".to_owned()));
            }
            match self.queues.get(queue.name.as_str()) {
                Some(existing) => {
                    unlocked(&queue.name, existing, connection)?;
                    compare(queue, existing, topology.strict)?;
                }
                None => {
                    let (arguments, table) = Arguments::of(queue)?;
                    let owner = queue.exclusive.then_some(connection);
                    let declared = crate::Queue { arguments: table.clone(), fallback: None, ..queue.clone() };
                    self.queues.insert(queue.name.as_str().into(), Queue::new(arguments, declared, owner));
                }
            }
        }
        topology.bindings.iter().try_for_each(|binding| self.bind(binding, connection))
    }

    fn bind(&mut self, binding: &Binding, connection: u64) -> Result<()> {
        let Binding { queue, exchange, routing_key } = binding;
        if exchange.is_empty() {
            return Err(rejected(format!(
                "ACCESS_REFUSED - queue '{queue}' cannot be bound to the default exchange: it is reached by its name there"
            )));
        }
        let (name, existing) = self.queues.get_key_value(queue.as_str()).ok_or_else(|| no_queue(queue))?;
        unlocked(queue, existing, connection)?;
        let exchange = self.exchanges.get_mut(exchange).ok_or_else(|| no_exchange(exchange))?;
        exchange.bind(name, routing_key);
        Ok(())
    }

    /// # Errors
    /// [`Error::Rejected`], [`Error::Unroutable`] or [`Error::Nacked`].
    pub(super) fn publish(&mut self, content: Content, mandatory: bool, moment: Moment) -> Result<()> {
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
            (Some(why), _) => Look::Ended(why),
            (None, Some(taken)) => Look::Found(taken),
            (None, None) => Look::Nothing(self.alarms.first().map(|(when, _)| *when)),
        }
    }

    /// No more messages for a consumer; what it has not given out goes back.
    pub(super) fn cancel(&mut self, id: u64, moment: Moment) -> Option<Ended> {
        let Some(consumer) = self.consumers.get_mut(&id) else { return Some(Ended::Closed) };
        let ended = consumer.ended;
        let (queue, messages) = (consumer.queue.clone(), consumer.give_back_waiting());
        self.leave(id, queue, messages, moment);
        ended
    }

    /// Ends a consumer; whatever it has no verdict on goes back.
    fn end(&mut self, id: u64, why: Ended, moment: Moment) {
        if let Some(consumer) = self.consumers.get_mut(&id).filter(|consumer| consumer.ended.is_none()) {
            let (queue, messages) = (consumer.queue.clone(), consumer.end(why));
            self.leave(id, queue, messages, moment);
        }
    }

    /// Ends all consumers, and drops what does not survive a restart.
    pub(super) fn lose_connections(&mut self, moment: Moment) {
        let consumers: Vec<u64> = self.consumers.keys().copied().collect();
        for id in consumers {
            self.end(id, Ended::Lost, moment);
        }
        let goes = |queue: &Queue| queue.owner.is_some() || !queue.declared.durable;
        let gone: Vec<Arc<str>> =
            self.queues.iter().filter(|(_, queue)| goes(queue)).map(|(name, _)| name.clone()).collect();
        for name in gone {
            self.delete_queue(&name);
        }
        self.exchanges.retain(|_, exchange| !exchange.is_temporary());
        for queue in self.queues.values_mut() {
            queue.drop_transient();
        }
        let names = self.queues.keys().cloned().collect();
        self.advance(names, moment);
    }

    /// Ends a consumer whose subscription is gone.
    pub(super) fn forget(&mut self, id: u64, moment: Moment) {
        self.end(id, Ended::Closed, moment);
        self.consumers.remove(&id);
    }

    /// Ends a connection: its consumers and its exclusive queues.
    pub(super) fn disconnect(&mut self, connection: u64, moment: Moment) {
        let consumers: Vec<u64> = self
            .consumers
            .iter()
            .filter(|(_, consumer)| consumer.connection == connection)
            .map(|(id, _)| *id)
            .collect();
        for id in consumers {
            self.end(id, Ended::Closed, moment);
        }
        let own: Vec<Arc<str>> = self
            .queues
            .iter()
            .filter(|(_, queue)| queue.owner == Some(connection))
            .map(|(name, _)| name.clone())
            .collect();
        for name in own {
            self.delete_queue(&name);
        }
    }

    pub(super) fn settle(&mut self, consumer: u64, tag: u64, verdict: Verdict, moment: Moment) {
        let Some(consumer) = self.consumers.get_mut(&consumer) else { return };
        let Some(message) = consumer.settle(tag) else { return };
        let name = consumer.queue.clone();
        let verdict = if verdict == Verdict::Ack && self.loses_ack(&name, &message.content.body) {
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
                    changed.extend(self.bury(&name, &dead, Reason::ReturnedTooOften, moment));
                }
            }
            Verdict::Reject => changed.extend(self.bury(&name, &message, Reason::Rejected, moment)),
        }
        self.advance(changed, moment);
    }

    /// Deletes a queue and ends its consumers. Says whether it was there.
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

    pub(super) fn is_quorum(&self, name: &str) -> bool {
        self.queues.get(name).is_some_and(|queue| queue.arguments.quorum)
    }

    pub(super) fn ready(&self, name: &str) -> Option<usize> {
        self.queues.get(name).map(Queue::len)
    }

    pub(super) fn unacked(&self, name: &str) -> Option<usize> {
        self.queues.get(name)?;
        let consumers = self.consumers.values().filter(|consumer| &*consumer.queue == name);
        Some(consumers.map(Consumer::unsettled).sum())
    }

    pub(super) fn consumers(&self, name: &str) -> usize {
        self.consumers.values().filter(|consumer| &*consumer.queue == name && consumer.ended.is_none()).count()
    }

    pub(super) fn taken_and_untaken(&self, name: &str) -> (u64, usize) {
        let consumers = self.consumers.values().filter(|consumer| &*consumer.queue == name);
        consumers.map(Consumer::taken_and_untaken).fold((0, 0), |sum, of_one| (sum.0 + of_one.0, sum.1 + of_one.1))
    }

    pub(super) fn next_change(&self) -> Option<Instant> {
        self.alarms.first().map(|(when, _)| *when)
    }

    /// Lets expire what is due by now.
    pub(super) fn expire(&mut self, moment: Moment) {
        while let Some((when, name)) = self.alarms.first()
            && *when <= moment.now
        {
            self.advance(VecDeque::from([name.clone()]), moment);
        }
    }

    fn leave(&mut self, id: u64, name: Arc<str>, messages: Vec<Message>, moment: Moment) {
        let Some(queue) = self.queues.get_mut(&name) else { return };
        queue.consumers.retain(|consumer| *consumer != id);
        let dead: Vec<Message> = messages.into_iter().filter_map(|message| queue.put_back(message)).collect();
        let mut changed = VecDeque::from([name.clone()]);
        for message in dead {
            changed.extend(self.bury(&name, &message, Reason::ReturnedTooOften, moment));
        }
        self.advance(changed, moment);
    }

    /// The queues that a message reaches; `None` where there is no such exchange.
    fn route(&self, exchange: &str, routing_key: &str) -> Option<Vec<Arc<str>>> {
        if exchange.is_empty() {
            return Some(self.queues.get_key_value(routing_key).map(|(name, _)| name.clone()).into_iter().collect());
        }
        self.exchanges.get(exchange).map(|exchange| exchange.route(routing_key))
    }

    fn admit(&mut self, name: &Arc<str>, content: &Arc<Content>, ttl: Option<Duration>, moment: Moment) -> Admission {
        let number = self.number();
        match self.queues.get_mut(name) {
            Some(queue) => queue.admit(&mut self.consumers, content.clone(), number, ttl, moment.now),
            None => Admission::Taken,
        }
    }

    /// Moves on what can move in these queues, and in those that get their dead letters.
    fn advance(&mut self, mut queues: VecDeque<Arc<str>>, moment: Moment) {
        loop {
            while let Some(name) = queues.pop_front() {
                let Some(queue) = self.queues.get_mut(&name) else { continue };
                let dead = queue.advance(&mut self.consumers, moment.now);
                self.set_alarm(&name);
                for (message, reason) in dead {
                    queues.extend(self.bury(&name, &message, reason, moment));
                }
            }
            // What moved may have made room for letters that are held.
            let holding: Vec<Arc<str>> = self.holding.iter().cloned().collect();
            queues.extend(holding.iter().flat_map(|name| self.send_held(name, moment)));
            if queues.is_empty() {
                return;
            }
        }
    }

    /// Sends a dead message on. Says which queues got it: they have to be advanced.
    fn bury(&mut self, name: &Arc<str>, dead: &Message, reason: Reason, moment: Moment) -> Vec<Arc<str>> {
        let Some(queue) = self.queues.get_mut(name) else { return Vec::new() };
        let Some(to) = &queue.arguments.dead_letter else { return Vec::new() };
        let content = Arc::new(dead_letter::letter(&dead.content, name, to, reason, moment.wall));
        let mut letter = Letter { content, reason, reached: Vec::new() };
        if queue.arguments.at_least_once {
            queue.letters.push_back(letter);
            self.holding.insert(name.clone());
            return self.send_held(name, moment);
        }
        // A missing exchange, and a target that refuses, lose the letter: so they do in RabbitMQ.
        self.send_letter(&mut letter, moment);
        letter.reached
    }

    /// Tries again to send the letters that a queue holds. Says which queues got one.
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

    /// Sends a letter to those of its targets that have not taken it before. Says whether
    /// there are any, and all have it now.
    fn send_letter(&mut self, letter: &mut Letter, moment: Moment) -> bool {
        let content = Arc::clone(&letter.content);
        let mut targets = self.route(&content.exchange, &content.routing_key).unwrap_or_default();
        targets.retain(|target| letter.reason == Reason::Rejected || !dead_letter::is_cycle(&content, target));
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

    /// Notes when the head of a queue expires. Whoever waits has to know only where that
    /// sends a dead letter.
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

/// Of a message: milliseconds, in decimal digits.
fn expiration(text: &str) -> Result<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u32>() {
        Ok(milliseconds) if digits => Ok(Duration::from_millis(milliseconds.into())),
        _ => Err(rejected(
            "PRECONDITION_FAILED - invalid expiration: it takes a whole number of milliseconds below 2^32, in digits"
                .to_owned(),
        )),
    }
}

fn unlocked(name: &str, queue: &Queue, connection: u64) -> Result<()> {
    if queue.owner.is_none_or(|owner| owner == connection) {
        return Ok(());
    }
    Err(rejected(format!("RESOURCE_LOCKED - queue '{name}' is exclusive and belongs to another connection")))
}

/// An existing queue is used as it is; a difference is told.
fn compare(wanted: &crate::Queue, existing: &Queue, strict: bool) -> Result<()> {
    let differences = inspect::differences(wanted, existing);
    let Some(key) = differences.first().map(|difference| &difference.what) else { return Ok(()) };
    let why = format!(
        "PRECONDITION_FAILED - inequivalent arg '{key}' for queue '{}': it exists with other arguments",
        wanted.name
    );
    if strict {
        return Err(rejected(why));
    }
    log::warn!("{why}; it is used as it is");
    Ok(())
}

fn no_exchange(name: &str) -> Error {
    rejected(format!("NOT_FOUND - no exchange '{name}': declare it before it is used"))
}

fn no_queue(name: &str) -> Error {
    rejected(format!("NOT_FOUND - no queue '{name}': declare it before it is used"))
}

fn rejected(why: String) -> Error {
    Error::Rejected { why }
}
