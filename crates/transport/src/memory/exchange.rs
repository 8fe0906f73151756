//! An exchange: its bindings, and which queues a routing key reaches.

use std::sync::Arc;

use super::difference::difference;
use super::topic;
use crate::{Difference, ExchangeKind};

#[derive(Debug)]
pub(super) struct MemoryExchange {
    kind: ExchangeKind,
    /// It is deleted with its last binding.
    temporary: bool,
    bindings: Vec<(Arc<str>, String)>,
}

impl MemoryExchange {
    pub(super) fn new(declared: &crate::Exchange) -> Self {
        Self { kind: declared.kind, temporary: declared.temporary, bindings: Vec::new() }
    }

    pub(super) fn is_temporary(&self) -> bool {
        self.temporary
    }

    /// How it differs from a declaration.
    pub(super) fn differences(&self, wanted: &crate::Exchange) -> Vec<Difference> {
        let mut differences = Vec::new();
        if self.kind != wanted.kind {
            differences.push(difference("type", wanted.kind.as_str(), self.kind.as_str()));
        }
        if self.temporary != wanted.temporary {
            // An exchange is durable unless it is temporary.
            differences.push(difference("durable", &self.temporary.to_string(), &wanted.temporary.to_string()));
        }
        differences
    }

    pub(super) fn binds(&self, queue: &str, key: &str) -> bool {
        let any_key = self.kind == ExchangeKind::Fanout;
        self.bindings.iter().any(|(bound, with)| &**bound == queue && (any_key || with == key))
    }

    pub(super) fn kind(&self) -> ExchangeKind {
        self.kind
    }

    /// Binds a queue; binding it again with the same key changes nothing.
    pub(super) fn bind(&mut self, queue: &Arc<str>, key: &str) {
        if !self.bindings.iter().any(|(bound, with)| bound == queue && with == key) {
            self.bindings.push((queue.clone(), key.to_owned()));
        }
    }

    /// Removes the bindings of a queue. Returns whether the exchange is deleted with its last binding.
    pub(super) fn unbind(&mut self, queue: &str) -> bool {
        let before = self.bindings.len();
        self.bindings.retain(|(bound, _)| &**bound != queue);
        self.temporary && before > 0 && self.bindings.is_empty()
    }

    /// The queues that a message with this key reaches, each once.
    pub(super) fn route(&self, routing_key: &str) -> Vec<Arc<str>> {
        let mut reached: Vec<Arc<str>> = Vec::new();
        for (queue, key) in &self.bindings {
            let matches = match self.kind {
                ExchangeKind::Fanout => true,
                ExchangeKind::Topic => topic::matches(key, routing_key),
                ExchangeKind::Direct => key == routing_key,
            };
            if matches && !reached.contains(queue) {
                reached.push(queue.clone());
            }
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_matching_bindings_reach_a_queue_once() {
        let declared = crate::Exchange { name: "e".to_owned(), kind: ExchangeKind::Topic, temporary: true };
        let mut exchange = MemoryExchange::new(&declared);
        assert!(!exchange.unbind("q"), "it had none before");
        let queue: Arc<str> = "q".into();
        for key in ["#", "a.*", "a.*"] {
            exchange.bind(&queue, key);
        }
        assert_eq!(exchange.bindings.len(), 2);
        assert_eq!(exchange.route("a.b"), [queue]);
        assert!(exchange.unbind("q") && exchange.route("a.b").is_empty());
    }
}
