//! Finds out what exists, how it differs, and which permissions the user lacks, without changing anything: the broker
//! must refuse each call, or the call has no effect.
//!
//! - **Declaring with an invalid argument**: the broker checks the permission first (403), then compares with an
//!   existing queue or exchange ("inequivalent arg", 406). It creates no missing one, since the argument is invalid
//!   ("invalid arg", 406).
//! - **Removing a binding that does not exist**: the broker checks the permissions for bindings, and does nothing else.
//! - **Consuming with an invalid priority**: 403 without the permission, otherwise 406.
//!
//! Verified with RabbitMQ 3.10.

use amiquip::{ConsumerOptions, ExchangeType, QueueDeclareOptions};
use zc_events_protocol::{Deadline, HeaderValue, Headers};

use super::connection::BrokerConnection;
use super::convert::to_table;
use super::declare::{kind, properties};
use super::failure::{ACCESS_REFUSED, NOT_FOUND, PRECONDITION_FAILED};
use super::precondition_failed::PreconditionFailed;
use super::throwaway_channel::{Reply, ThrowawayChannel};
use crate::{
    Binding, Difference, Exchange, InspectedExchange, InspectedQueue, Inspection, MissingPermission, Permission,
    Presence, Queue, Result, Topology,
};

/// The most differences that are reported of one queue or exchange.
const MOST_DIFFERENCES: usize = 8;
/// An argument of exchanges whose value must be a string.
const STRING_ARGUMENT: &str = "alternate-exchange";

pub(super) fn inspect(connection: &BrokerConnection, wanted: &Topology, deadline: Deadline) -> Result<Inspection> {
    let mut inspector =
        Inspector { channel: ThrowawayChannel::new(connection, deadline), found: Inspection::default() };
    // Bindings first: their refusals tell the read permission on an exchange from the write permission.
    wanted.bindings.iter().try_for_each(|binding| inspector.binding(binding))?;
    wanted.exchanges.iter().try_for_each(|exchange| inspector.exchange(exchange))?;
    wanted.queues.iter().try_for_each(|queue| inspector.queue(queue))?;
    Ok(inspector.found)
}

struct Inspector<'a> {
    channel: ThrowawayChannel<'a>,
    found: Inspection,
}

impl Inspector<'_> {
    fn binding(&mut self, binding: &Binding) -> Result<()> {
        let Binding { queue, exchange, .. } = binding;
        let doing = format!("asking about the binding of queue `{queue}`");
        let key = uuid::Uuid::new_v4().to_string();
        let none = to_table(&Headers::new());
        if let Reply::Refused { code: ACCESS_REFUSED, text } =
            self.channel.call(&doing, |channel| channel.queue_unbind(queue, exchange, &key, none.clone()))?
        {
            if text.contains(&format!("exchange '{exchange}'")) {
                self.report_missing(Permission::Read, exchange);
            } else {
                self.report_missing(Permission::Write, queue);
            }
        }
        self.found.bindings.push(None);
        Ok(())
    }

    fn exchange(&mut self, exchange: &Exchange) -> Result<()> {
        let name = &exchange.name;
        let doing = format!("asking about exchange `{name}`");
        let presence = match self.channel.call(&doing, |channel| channel.exchange_declare_passive(name).map(drop))? {
            Reply::Refused { code: NOT_FOUND, .. } => Presence::Missing,
            Reply::Refused { text, .. } => Presence::Unknown(text),
            Reply::Ok(()) => Presence::AsWanted,
        };
        let compared = self.compare_exchange(exchange, &doing)?;
        let key = uuid::Uuid::new_v4().to_string();
        let none = to_table(&Headers::new());
        if let Reply::Refused { code: ACCESS_REFUSED, .. } =
            self.channel.call(&doing, |channel| channel.exchange_unbind(name, name, &key, none.clone()))?
            && !self.found.missing_permissions.contains(&missing_permission(Permission::Read, name))
        {
            self.report_missing(Permission::Write, name);
        }
        let presence = if presence == Presence::AsWanted { compared } else { presence };
        self.found.exchanges.push(InspectedExchange { name: name.clone(), presence });
        Ok(())
    }

    /// How an existing exchange differs.
    fn compare_exchange(&mut self, exchange: &Exchange, doing: &str) -> Result<Presence> {
        let name = &exchange.name;
        let (mut kind, mut options) = (kind(exchange.kind), properties(exchange));
        options.arguments = to_table(&Headers::from([(STRING_ARGUMENT.to_owned(), 1.into())]));
        let mut differences = Vec::new();
        while differences.len() < MOST_DIFFERENCES {
            let reply = self
                .channel
                .call(doing, |channel| channel.exchange_declare(kind.clone(), name, options.clone()).map(drop))?;
            let Some(mismatch) = self.next_difference(reply, name, &mut differences)? else { break };
            match (mismatch.what(), mismatch.found_flag()) {
                ("type", _) => kind = exchange_type(mismatch.found()),
                ("durable", Some(durable)) => options.durable = durable,
                ("auto_delete", Some(auto_delete)) => options.auto_delete = auto_delete,
                ("internal", Some(internal)) => options.internal = internal,
                _ => break,
            }
        }
        Ok(presence(differences))
    }

    fn queue(&mut self, queue: &Queue) -> Result<()> {
        let name = &queue.name;
        let doing = format!("asking about queue `{name}`");
        let counted = self.channel.call(&doing, |channel| {
            let counts = channel.queue_declare_passive(name)?;
            Ok((counts.declared_message_count(), counts.declared_consumer_count()))
        })?;
        let (presence, (ready, consumers)) = match counted {
            Reply::Refused { code: NOT_FOUND, .. } => (Presence::Missing, (None, None)),
            Reply::Refused { text, .. } => (Presence::Unknown(text), (None, None)),
            Reply::Ok(counts) => (Presence::AsWanted, counts),
        };
        let mut compared = self.compare_queue(queue, &queue.arguments, &doing)?;
        if let (Presence::Different(_), Some(fallback)) = (&compared, &queue.fallback)
            && self.compare_queue(queue, fallback, &doing)? == Presence::AsWanted
        {
            compared = Presence::AsWanted;
        }
        let options = ConsumerOptions {
            arguments: to_table(&Headers::from([("x-priority".to_owned(), "none".into())])),
            ..ConsumerOptions::default()
        };
        let refused = self.channel.call(&doing, |channel| {
            // If a broker accepts it nevertheless, it delivers at most one message, which is requeued.
            channel.qos(0, 1, false)?;
            channel.basic_consume(name, options.clone()).map(drop)
        })?;
        if let Reply::Refused { code: ACCESS_REFUSED, .. } = refused {
            self.report_missing(Permission::Read, name);
        }
        let presence = if presence == Presence::AsWanted { compared } else { presence };
        let (ready, consumers) = (ready.map(u64::from), consumers.map(u64::from));
        self.found.queues.push(InspectedQueue { name: name.clone(), presence, ready, consumers });
        Ok(())
    }

    /// How an existing queue differs from one with these arguments.
    fn compare_queue(&mut self, queue: &Queue, arguments: &Headers, doing: &str) -> Result<Presence> {
        let name = &queue.name;
        let mut options = QueueDeclareOptions {
            durable: queue.durable,
            exclusive: queue.exclusive,
            ..QueueDeclareOptions::default()
        };
        let mut arguments = arguments.clone();
        let mut differences = Vec::new();
        while differences.len() < MOST_DIFFERENCES {
            let mut invalid = arguments.clone();
            // Each argument is unknown to the other queue type, and not compared if such a queue exists.
            let is_quorum = arguments.get("x-queue-type").and_then(HeaderValue::as_str) == Some("quorum");
            let unknown = if is_quorum { "x-max-priority" } else { "x-delivery-limit" };
            invalid.insert(unknown.to_owned(), "none".into());
            options.arguments = to_table(&invalid);
            let reply = self.channel.call(doing, |channel| channel.queue_declare(name, options.clone()).map(drop))?;
            let Some(mismatch) = self.next_difference(reply, name, &mut differences)? else { break };
            match (mismatch.what(), mismatch.found_flag()) {
                ("durable", Some(durable)) => options.durable = durable,
                ("auto_delete", Some(auto_delete)) => options.auto_delete = auto_delete,
                (what, _) => match mismatch.found_value(arguments.get(what)) {
                    Some(HeaderValue::Null) if arguments.remove(what).is_some() => {}
                    Some(value) if value != HeaderValue::Null => drop(arguments.insert(what.to_owned(), value)),
                    _ => break,
                },
            }
        }
        Ok(presence(differences))
    }

    /// Reads the next difference from the reply to an invalid declaration, and adds it to the list.
    fn next_difference(
        &mut self,
        reply: Reply,
        name: &str,
        differences: &mut Vec<Difference>,
    ) -> Result<Option<PreconditionFailed>> {
        match reply {
            Reply::Refused { code: ACCESS_REFUSED, .. } => self.report_missing(Permission::Configure, name),
            Reply::Refused { code: PRECONDITION_FAILED, text } => {
                let known = |it: &PreconditionFailed| differences.iter().any(|difference| difference.what == it.what());
                if let Some(mismatch) = PreconditionFailed::read(&text)
                    && mismatch.what() != STRING_ARGUMENT
                    && !known(&mismatch)
                {
                    differences.push(mismatch.difference());
                    return Ok(Some(mismatch));
                }
            }
            _ => {}
        }
        Ok(None)
    }

    fn report_missing(&mut self, permission: Permission, on: &str) {
        let missing = missing_permission(permission, on);
        if !self.found.missing_permissions.contains(&missing) {
            self.found.missing_permissions.push(missing);
        }
    }
}

fn missing_permission(permission: Permission, on: &str) -> MissingPermission {
    MissingPermission { permission, on: on.to_owned() }
}

fn presence(differences: Vec<Difference>) -> Presence {
    if differences.is_empty() { Presence::AsWanted } else { Presence::Different(differences) }
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
