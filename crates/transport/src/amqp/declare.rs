//! Declares a topology. Existing exchanges and queues are used as they are; only missing ones are created.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use amiquip::{Channel, ExchangeDeclareOptions, ExchangeType, QueueDeclareOptions};
use zc_events_protocol::{Deadline, Headers};

use super::connection::BrokerConnection;
use super::convert;
use super::failure::{NOT_FOUND, NOT_IMPLEMENTED, PRECONDITION_FAILED};
use super::throwaway_channel::{Reply, ThrowawayChannel};
use crate::{Error, Exchange, ExchangeKind, Queue, Result, Topology};

/// The queues whose declaration cost a connection. A broker that knows the queue type but has it disabled closes the
/// whole connection. On the next connection these queues are declared with their fallback at once.
#[derive(Default)]
pub(super) struct Fallbacks(Mutex<BTreeSet<String>>);

impl Fallbacks {
    /// How many there are. If a failed declaration has added one, it is worth repeating.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Declares `topology` over `connection`. With `compare`, existing queues and exchanges are compared with the topology.
/// A difference is logged; it is an error if the topology is strict.
pub(super) fn declare(
    connection: &BrokerConnection,
    topology: &Topology,
    fallbacks: &Fallbacks,
    compare: bool,
    deadline: Deadline,
) -> Result<()> {
    let mut declarer = Declarer { channel: ThrowawayChannel::new(connection, deadline), fallbacks };
    for exchange in &topology.exchanges {
        declarer.exchange(exchange, compare)?;
    }
    for queue in &topology.queues {
        declarer.queue(queue, compare, topology.strict)?;
    }
    for binding in &topology.bindings {
        let doing = format!("binding queue `{}` to exchange `{}`", binding.queue, binding.exchange);
        let arguments = convert::to_table(&Default::default());
        let (queue, exchange, key) = (&binding.queue, &binding.exchange, &binding.routing_key);
        declarer
            .call(&doing, |channel| channel.queue_bind(queue, exchange, key, arguments.clone()))?
            .or_refuse(&doing)?;
    }
    Ok(())
}

struct Declarer<'a> {
    channel: ThrowawayChannel<'a>,
    fallbacks: &'a Fallbacks,
}

impl Declarer<'_> {
    fn exchange(&mut self, exchange: &Exchange, compare: bool) -> Result<()> {
        let name = &exchange.name;
        let doing = format!("declaring exchange `{name}`");
        let declare =
            |channel: &Channel| channel.exchange_declare(kind(exchange.kind), name, properties(exchange)).map(drop);
        match self.call(&doing, |channel| channel.exchange_declare_passive(name).map(drop))? {
            Reply::Refused { code: NOT_FOUND, .. } => self.call(&doing, declare)?.or_refuse(&doing),
            Reply::Ok(()) if compare => match self.call(&doing, declare)? {
                // An exchange of another type would route messages to the wrong queues.
                Reply::Refused { code: PRECONDITION_FAILED, text } if text.contains("'type'") => Err(Error::Rejected {
                    why: format!(
                        "exchange `{name}` exists, but is not a {} exchange ({text}): use another name (EVENTS_EXCHANGE, NOTIFICATIONS_EXCHANGE), or delete it",
                        exchange.kind.as_str()
                    ),
                }),
                Reply::Refused { code: PRECONDITION_FAILED, text } => {
                    log::warn!("exchange `{name}` exists with other properties and is used as it is: {text}");
                    Ok(())
                }
                _ => Ok(()),
            },
            Reply::Ok(()) => Ok(()),
            no => no.or_refuse(&doing),
        }
    }

    fn queue(&mut self, queue: &Queue, compare: bool, strict: bool) -> Result<()> {
        let name = &queue.name;
        let doing = format!("declaring queue `{name}`");
        let known = self.fallbacks.lock().contains(name);
        let fallback = queue.fallback.as_ref();
        let first = fallback.filter(|_| known).unwrap_or(&queue.arguments);
        let second = fallback.filter(|_| !known);
        match self.exists(name, &doing)? {
            Reply::Refused { code: NOT_FOUND, .. } => {
                let refused = match self.declare(queue, first, &doing)? {
                    refused @ Reply::Refused { code: PRECONDITION_FAILED | NOT_IMPLEMENTED, .. } => refused,
                    answer => return answer.or_refuse(&doing),
                };
                match (self.exists(name, &doing)?, second) {
                    // Another client has declared it meanwhile. It is used as it is.
                    (Reply::Ok(()), _) => Ok(()),
                    (Reply::Refused { .. }, Some(second)) => {
                        log::warn!("queue `{name}` is declared with its fallback arguments: {}", refused.text());
                        self.declare(queue, second, &doing)?.or_refuse(&doing)
                    }
                    (Reply::Refused { .. }, None) => refused.or_refuse(&doing),
                }
            }
            Reply::Ok(()) if compare || strict => match (self.declare(queue, first, &doing)?, second) {
                (Reply::Refused { code: PRECONDITION_FAILED, text }, second) => {
                    if let Some(second) = second
                        && matches!(self.declare(queue, second, &doing)?, Reply::Ok(()))
                    {
                        log::debug!("queue `{name}` exists with its fallback arguments: {text}");
                        return Ok(());
                    }
                    let remedy = if queue.fallback.is_some() {
                        "delete the queue once it is empty; it is then declared again"
                    } else {
                        "set EVENTS_QUEUE_MAX_PRIORITY to what the queue has (`none` for a queue without x-max-priority), or delete the queue once it is empty"
                    };
                    let why = format!("queue `{name}` exists with other arguments ({text}): {remedy}");
                    if strict {
                        return Err(Error::Rejected { why });
                    }
                    log::warn!("{why}; it is used as it is");
                    Ok(())
                }
                _ => Ok(()),
            },
            Reply::Ok(()) => Ok(()),
            no => no.or_refuse(&doing),
        }
    }

    fn exists(&mut self, name: &str, doing: &str) -> Result<Reply> {
        self.call(doing, |channel| channel.queue_declare_passive(name).map(drop))
    }

    fn declare(&mut self, queue: &Queue, arguments: &Headers, doing: &str) -> Result<Reply> {
        let options = QueueDeclareOptions {
            durable: queue.durable,
            exclusive: queue.exclusive,
            auto_delete: false,
            arguments: convert::to_table(arguments),
        };
        let answer = self.call(doing, |channel| channel.queue_declare(&queue.name, options.clone()).map(drop));
        // The connection is lost. The next one declares the fallback at once.
        if self.channel.cost_connection && queue.fallback.is_some() {
            log::warn!(
                "the broker closed the connection because of queue `{}`; it will be declared with its fallback arguments",
                queue.name
            );
            self.fallbacks.lock().insert(queue.name.clone());
        }
        answer
    }

    fn call(&mut self, doing: &str, call: impl Fn(&Channel) -> amiquip::Result<()>) -> Result<Reply> {
        self.channel.call(doing, call)
    }
}

/// The properties that an exchange is declared with.
pub(super) fn properties(exchange: &Exchange) -> ExchangeDeclareOptions {
    let (durable, auto_delete) = (!exchange.temporary, exchange.temporary);
    ExchangeDeclareOptions { durable, auto_delete, ..ExchangeDeclareOptions::default() }
}

pub(super) fn kind(kind: ExchangeKind) -> ExchangeType {
    match kind {
        ExchangeKind::Fanout => ExchangeType::Fanout,
        ExchangeKind::Topic => ExchangeType::Topic,
        ExchangeKind::Direct => ExchangeType::Direct,
    }
}
