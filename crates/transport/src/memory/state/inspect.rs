//! Looking at what there is, and how it differs from what somebody would declare; and taking
//! it away. Nothing is declared or published here.

use zc_events_protocol::{HeaderValue, Headers};

use super::super::queue::Queue;
use super::State;
use crate::{Difference, InspectedExchange, InspectedQueue, Inspection, Standing, Topology};

impl State {
    /// Nobody lacks a right here.
    pub(in crate::memory) fn inspect(&self, wanted: &Topology, connection: u64) -> Inspection {
        let exchanges = wanted.exchanges.iter().map(|exchange| {
            let standing = match self.exchanges.get(&exchange.name) {
                None => Standing::Missing,
                Some(there) => standing(there.differences(exchange)),
            };
            InspectedExchange { name: exchange.name.clone(), standing }
        });
        let queues = wanted.queues.iter().map(|queue| {
            let name = queue.name.clone();
            let Some(there) = self.queues.get(name.as_str()) else {
                return InspectedQueue { name, standing: Standing::Missing, ready: None, consumers: None };
            };
            if there.owner.is_some_and(|owner| owner != connection) {
                let standing = Standing::Unknown(format!("RESOURCE_LOCKED - queue '{name}' is exclusive"));
                return InspectedQueue { name, standing, ready: None, consumers: None };
            }
            let standing = standing(differences(queue, there));
            let (ready, consumers) = (there.len() as u64, self.consumers(&name) as u64);
            InspectedQueue { name, standing, ready: Some(ready), consumers: Some(consumers) }
        });
        let bindings = wanted.bindings.iter().map(|binding| {
            Some(self.exchanges.get(&binding.exchange).is_some_and(|it| it.binds(&binding.queue, &binding.routing_key)))
        });
        Inspection {
            exchanges: exchanges.collect(),
            queues: queues.collect(),
            bindings: bindings.collect(),
            lacks: Vec::new(),
        }
    }

    pub(in crate::memory) fn remove(&mut self, topology: &Topology) {
        for queue in &topology.queues {
            self.delete_queue(&queue.name);
        }
        for exchange in &topology.exchanges {
            self.exchanges.remove(&exchange.name);
        }
    }
}

fn standing(differences: Vec<Difference>) -> Standing {
    if differences.is_empty() { Standing::AsWanted } else { Standing::Different(differences) }
}

/// How a queue differs from one that somebody would declare, or, where that has one, from its fallback.
pub(super) fn differences(wanted: &crate::Queue, existing: &Queue) -> Vec<Difference> {
    let there = &existing.declared;
    let mut differences = Vec::new();
    if wanted.durable != there.durable {
        differences.push(difference("durable", &wanted.durable.to_string(), &there.durable.to_string()));
    }
    if wanted.fallback.as_ref() == Some(&there.arguments) {
        return differences;
    }
    let keys = wanted.arguments.keys().chain(there.arguments.keys().filter(|key| !wanted.arguments.contains_key(*key)));
    for key in keys.filter(|key| wanted.arguments.get(*key) != there.arguments.get(*key)) {
        differences.push(difference(key, &shown(&wanted.arguments, key), &shown(&there.arguments, key)));
    }
    differences
}

pub(in crate::memory) fn difference(what: &str, wanted: &str, found: &str) -> Difference {
    Difference { what: what.to_owned(), wanted: wanted.to_owned(), found: found.to_owned() }
}

fn shown(arguments: &Headers, key: &str) -> String {
    match arguments.get(key) {
        None | Some(HeaderValue::Null) => "none".to_owned(),
        Some(HeaderValue::Text(text)) => text.clone(),
        Some(HeaderValue::Int(number)) => number.to_string(),
        Some(HeaderValue::Bool(flag)) => flag.to_string(),
        Some(other) => format!("{other:?}"),
    }
}
