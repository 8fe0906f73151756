//! Finds out what is there, how it differs, and what the user may not do, and changes nothing
//! by it: each question is one that the broker must refuse, or that has no effect.
//!
//! - **Declaring with an argument that can never be**: the broker looks at the permission first
//!   (403), then at what is there ("inequivalent arg", 406), and what is missing it does not
//!   create for the argument's sake ("invalid arg", 406).
//! - **Unbinding what is not bound**: the permissions of binding are looked at, and nothing else happens.
//! - **Consuming with a priority that is none**: 403 without the permission, else 406.
//!
//! So RabbitMQ does it, tried with 3.10.

use amiquip::{ConsumerOptions, ExchangeType, QueueDeclareOptions};
use zc_events_protocol::{Deadline, HeaderValue, Headers};

use super::ask::{Answer, Asker};
use super::connection::BrokerConnection;
use super::convert::to_table;
use super::declare::{kind, properties};
use super::failure::{ACCESS_REFUSED, NOT_FOUND, PRECONDITION_FAILED};
use super::inequivalent::Inequivalent;
use crate::{
    Binding, Difference, Exchange, InspectedExchange, InspectedQueue, Inspection, Lack, Queue, Result, Right, Standing,
    Topology,
};

/// How many differences of one thing are looked for.
const MOST_DIFFERENCES: usize = 8;
/// An argument of exchanges that takes a text.
const NO_EXCHANGE: &str = "alternate-exchange";

pub(super) fn inspect(connection: &BrokerConnection, wanted: &Topology, deadline: Deadline) -> Result<Inspection> {
    let mut inspector = Inspector { asker: Asker::new(connection, deadline), found: Inspection::default() };
    // What names the exchange first: it tells reading from writing.
    wanted.bindings.iter().try_for_each(|binding| inspector.binding(binding))?;
    wanted.exchanges.iter().try_for_each(|exchange| inspector.exchange(exchange))?;
    wanted.queues.iter().try_for_each(|queue| inspector.queue(queue))?;
    Ok(inspector.found)
}

struct Inspector<'a> {
    asker: Asker<'a>,
    found: Inspection,
}

impl Inspector<'_> {
    fn binding(&mut self, binding: &Binding) -> Result<()> {
        let Binding { queue, exchange, .. } = binding;
        let doing = format!("asking about the binding of queue `{queue}`");
        let key = uuid::Uuid::new_v4().to_string();
        let none = to_table(&Headers::new());
        if let Answer::No { code: ACCESS_REFUSED, text } =
            self.asker.ask(&doing, |channel| channel.queue_unbind(queue, exchange, &key, none.clone()))?
        {
            if text.contains(&format!("exchange '{exchange}'")) {
                self.lacks(Right::Read, exchange);
            } else {
                self.lacks(Right::Write, queue);
            }
        }
        self.found.bindings.push(None);
        Ok(())
    }

    fn exchange(&mut self, exchange: &Exchange) -> Result<()> {
        let name = &exchange.name;
        let doing = format!("asking about exchange `{name}`");
        let standing = match self.asker.ask(&doing, |channel| channel.exchange_declare_passive(name).map(drop))? {
            Answer::No { code: NOT_FOUND, .. } => Standing::Missing,
            Answer::No { text, .. } => Standing::Unknown(text),
            Answer::Yes(()) => Standing::AsWanted,
        };
        let compared = self.compare_exchange(exchange, &doing)?;
        let key = uuid::Uuid::new_v4().to_string();
        let none = to_table(&Headers::new());
        if let Answer::No { code: ACCESS_REFUSED, .. } =
            self.asker.ask(&doing, |channel| channel.exchange_unbind(name, name, &key, none.clone()))?
            && !self.found.lacks.contains(&lack(Right::Read, name))
        {
            self.lacks(Right::Write, name);
        }
        let standing = if standing == Standing::AsWanted { compared } else { standing };
        self.found.exchanges.push(InspectedExchange { name: name.clone(), standing });
        Ok(())
    }

    /// How an exchange that is there differs.
    fn compare_exchange(&mut self, exchange: &Exchange, doing: &str) -> Result<Standing> {
        let name = &exchange.name;
        let (mut kind, mut options) = (kind(exchange.kind), properties(exchange));
        options.arguments = to_table(&Headers::from([(NO_EXCHANGE.to_owned(), 1.into())]));
        let mut differences = Vec::new();
        while differences.len() < MOST_DIFFERENCES {
            let answer = self
                .asker
                .ask(doing, |channel| channel.exchange_declare(kind.clone(), name, options.clone()).map(drop))?;
            let Some(inequivalent) = self.judged(answer, name, &mut differences)? else { break };
            match (inequivalent.what(), inequivalent.found_flag()) {
                ("type", _) => kind = exchange_type(inequivalent.found()),
                ("durable", Some(durable)) => options.durable = durable,
                ("auto_delete", Some(auto_delete)) => options.auto_delete = auto_delete,
                ("internal", Some(internal)) => options.internal = internal,
                _ => break,
            }
        }
        Ok(standing(differences))
    }

    fn queue(&mut self, queue: &Queue) -> Result<()> {
        let name = &queue.name;
        let doing = format!("asking about queue `{name}`");
        let counted = self.asker.ask(&doing, |channel| {
            let counts = channel.queue_declare_passive(name)?;
            Ok((counts.declared_message_count(), counts.declared_consumer_count()))
        })?;
        let (standing, (ready, consumers)) = match counted {
            Answer::No { code: NOT_FOUND, .. } => (Standing::Missing, (None, None)),
            Answer::No { text, .. } => (Standing::Unknown(text), (None, None)),
            Answer::Yes(counts) => (Standing::AsWanted, counts),
        };
        let mut compared = self.compare_queue(queue, &queue.arguments, &doing)?;
        if let (Standing::Different(_), Some(fallback)) = (&compared, &queue.fallback)
            && self.compare_queue(queue, fallback, &doing)? == Standing::AsWanted
        {
            compared = Standing::AsWanted;
        }
        let options = ConsumerOptions {
            arguments: to_table(&Headers::from([("x-priority".to_owned(), "none".into())])),
            ..ConsumerOptions::default()
        };
        let refused = self.asker.ask(&doing, |channel| {
            // Should a broker take it after all, then one message, which goes back.
            channel.qos(0, 1, false)?;
            channel.basic_consume(name, options.clone()).map(drop)
        })?;
        if let Answer::No { code: ACCESS_REFUSED, .. } = refused {
            self.lacks(Right::Read, name);
        }
        let standing = if standing == Standing::AsWanted { compared } else { standing };
        let (ready, consumers) = (ready.map(u64::from), consumers.map(u64::from));
        self.found.queues.push(InspectedQueue { name: name.clone(), standing, ready, consumers });
        Ok(())
    }

    /// How a queue that is there differs from one with these arguments.
    fn compare_queue(&mut self, queue: &Queue, arguments: &Headers, doing: &str) -> Result<Standing> {
        let name = &queue.name;
        let mut options = QueueDeclareOptions {
            durable: queue.durable,
            exclusive: queue.exclusive,
            ..QueueDeclareOptions::default()
        };
        let mut arguments = arguments.clone();
        let mut differences = Vec::new();
        while differences.len() < MOST_DIFFERENCES {
            let mut impossible = arguments.clone();
            // Each is unknown to the other type of queue, and not compared where that is there.
            let is_quorum = arguments.get("x-queue-type").and_then(HeaderValue::as_str) == Some("quorum");
            let never = if is_quorum { "x-max-priority" } else { "x-delivery-limit" };
            impossible.insert(never.to_owned(), "none".into());
            options.arguments = to_table(&impossible);
            let answer = self.asker.ask(doing, |channel| channel.queue_declare(name, options.clone()).map(drop))?;
            let Some(inequivalent) = self.judged(answer, name, &mut differences)? else { break };
            match (inequivalent.what(), inequivalent.found_flag()) {
                ("durable", Some(durable)) => options.durable = durable,
                ("auto_delete", Some(auto_delete)) => options.auto_delete = auto_delete,
                (what, _) => match inequivalent.found_value(arguments.get(what)) {
                    Some(HeaderValue::Null) if arguments.remove(what).is_some() => {}
                    Some(value) if value != HeaderValue::Null => drop(arguments.insert(what.to_owned(), value)),
                    _ => break,
                },
            }
        }
        Ok(standing(differences))
    }

    /// What an answer to a declaration that can never be says: the next difference, which is noted, too.
    fn judged(
        &mut self,
        answer: Answer,
        name: &str,
        differences: &mut Vec<Difference>,
    ) -> Result<Option<Inequivalent>> {
        match answer {
            Answer::No { code: ACCESS_REFUSED, .. } => self.lacks(Right::Configure, name),
            Answer::No { code: PRECONDITION_FAILED, text } => {
                let known = |it: &Inequivalent| differences.iter().any(|difference| difference.what == it.what());
                if let Some(inequivalent) = Inequivalent::read(&text)
                    && inequivalent.what() != NO_EXCHANGE
                    && !known(&inequivalent)
                {
                    differences.push(inequivalent.difference());
                    return Ok(Some(inequivalent));
                }
            }
            _ => {}
        }
        Ok(None)
    }

    fn lacks(&mut self, right: Right, on: &str) {
        let lack = lack(right, on);
        if !self.found.lacks.contains(&lack) {
            self.found.lacks.push(lack);
        }
    }
}

fn lack(right: Right, on: &str) -> Lack {
    Lack { right, on: on.to_owned() }
}

fn standing(differences: Vec<Difference>) -> Standing {
    if differences.is_empty() { Standing::AsWanted } else { Standing::Different(differences) }
}

fn exchange_type(name: &str) -> ExchangeType {
    match name {
        "fanout" => ExchangeType::Fanout,
        "topic" => ExchangeType::Topic,
        "direct" => ExchangeType::Direct,
        "headers" => ExchangeType::Headers,
        other => ExchangeType::Custom(other.to_owned()),
    }
}
