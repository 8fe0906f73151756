//! Makes a topology exist. What is there is used as it is; only what is missing is
//! declared. How the broker is asked is in `ask`.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use amiquip::{Channel, ExchangeDeclareOptions, ExchangeType, QueueDeclareOptions};
use zc_events_protocol::{Deadline, Headers};

use super::ask::{Answer, Asker};
use super::connection::BrokerConnection;
use super::convert;
use super::failure::{NOT_FOUND, NOT_IMPLEMENTED, PRECONDITION_FAILED};
use crate::{Error, Exchange, ExchangeKind, Queue, Result, Topology};

/// The queues whose declaration cost a connection: a broker that knows the type of queue,
/// but has it turned off, closes all. They get their fallback at once.
#[derive(Default)]
pub(super) struct Fallbacks(Mutex<BTreeSet<String>>);

impl Fallbacks {
    /// How many there are: where a failed declaration has added one, it is worth repeating.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Declares `topology` over `connection`. With `compare`, what exists is held against what was
/// asked for, and a difference is logged, or is an error where the topology is strict.
pub(super) fn declare(
    connection: &BrokerConnection,
    topology: &Topology,
    fallbacks: &Fallbacks,
    compare: bool,
    deadline: Deadline,
) -> Result<()> {
    let mut declarer = Declarer { asker: Asker::new(connection, deadline), fallbacks };
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
            .ask(&doing, |channel| channel.queue_bind(queue, exchange, key, arguments.clone()))?
            .or_refuse(&doing)?;
    }
    Ok(())
}

struct Declarer<'a> {
    asker: Asker<'a>,
    fallbacks: &'a Fallbacks,
}

impl Declarer<'_> {
    fn exchange(&mut self, exchange: &Exchange, compare: bool) -> Result<()> {
        let name = &exchange.name;
        let doing = format!("declaring exchange `{name}`");
        let declare =
            |channel: &Channel| channel.exchange_declare(kind(exchange.kind), name, properties(exchange)).map(drop);
        match self.ask(&doing, |channel| channel.exchange_declare_passive(name).map(drop))? {
            Answer::No { code: NOT_FOUND, .. } => self.ask(&doing, declare)?.or_refuse(&doing),
            Answer::Yes(()) if compare => match self.ask(&doing, declare)? {
                // Another type would route our messages to others than those they are meant for.
                Answer::No { code: PRECONDITION_FAILED, text } if text.contains("'type'") => Err(Error::Rejected {
                    why: format!(
                        "exchange `{name}` exists, but is no {} exchange ({text}): use another name (EVENTS_EXCHANGE, NOTIFICATIONS_EXCHANGE), or delete it",
                        exchange.kind.as_str()
                    ),
                }),
                Answer::No { code: PRECONDITION_FAILED, text } => {
                    log::warn!("exchange `{name}` exists with other properties and is used as it is: {text}");
                    Ok(())
                }
                _ => Ok(()),
            },
            Answer::Yes(()) => Ok(()),
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
        match self.probe(name, &doing)? {
            Answer::No { code: NOT_FOUND, .. } => {
                let refused = match self.declare(queue, first, &doing)? {
                    refused @ Answer::No { code: PRECONDITION_FAILED | NOT_IMPLEMENTED, .. } => refused,
                    answer => return answer.or_refuse(&doing),
                };
                match (self.probe(name, &doing)?, second) {
                    // Somebody else was faster; theirs is used as it is.
                    (Answer::Yes(()), _) => Ok(()),
                    (Answer::No { .. }, Some(second)) => {
                        log::warn!("queue `{name}` is declared as a lesser one: {}", refused.text());
                        self.declare(queue, second, &doing)?.or_refuse(&doing)
                    }
                    (Answer::No { .. }, None) => refused.or_refuse(&doing),
                }
            }
            Answer::Yes(()) if compare || strict => match (self.declare(queue, first, &doing)?, second) {
                (Answer::No { code: PRECONDITION_FAILED, text }, second) => {
                    if let Some(second) = second
                        && matches!(self.declare(queue, second, &doing)?, Answer::Yes(()))
                    {
                        log::debug!("queue `{name}` exists as a lesser one: {text}");
                        return Ok(());
                    }
                    let remedy = if queue.fallback.is_some() {
                        "delete the queue once it is empty, and it is declared anew"
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
            Answer::Yes(()) => Ok(()),
            no => no.or_refuse(&doing),
        }
    }

    fn probe(&mut self, name: &str, doing: &str) -> Result<Answer> {
        self.ask(doing, |channel| channel.queue_declare_passive(name).map(drop))
    }

    fn declare(&mut self, queue: &Queue, arguments: &Headers, doing: &str) -> Result<Answer> {
        let options = QueueDeclareOptions {
            durable: queue.durable,
            exclusive: queue.exclusive,
            auto_delete: false,
            arguments: convert::to_table(arguments),
        };
        let answer = self.ask(doing, |channel| channel.queue_declare(&queue.name, options.clone()).map(drop));
        // The connection is gone; the next one declares the fallback at once.
        if self.asker.hung && queue.fallback.is_some() {
            log::warn!(
                "the broker ends the connection over queue `{}`, which will be declared as a lesser one",
                queue.name
            );
            self.fallbacks.lock().insert(queue.name.clone());
        }
        answer
    }

    fn ask(&mut self, doing: &str, question: impl Fn(&Channel) -> amiquip::Result<()>) -> Result<Answer> {
        self.asker.ask(doing, question)
    }
}

/// What an exchange is declared with.
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
