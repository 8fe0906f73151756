//! An exchange: which queues are bound to it and which of them a routing key reaches.

use std::sync::Arc;

use super::topic;
use crate::ExchangeKind;

#[derive(Debug)]
pub(super) struct Exchange {
    kind: ExchangeKind,
    bindings: Vec<(Arc<str>, String)>,
}

impl Exchange {
    pub(super) fn new(kind: ExchangeKind) -> Self {
        Self { kind, bindings: Vec::new() }
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

    /// Forgets a queue.
    pub(super) fn unbind(&mut self, queue: &str) {
        self.bindings.retain(|(bound, _)| &**bound != queue);
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
        let mut exchange = Exchange::new(ExchangeKind::Topic);
        let queue: Arc<str> = "q".into();
        for key in ["#", "a.*", "a.*"] {
            exchange.bind(&queue, key);
        }
        assert_eq!(exchange.bindings.len(), 2);
        assert_eq!(exchange.route("a.b"), [queue]);
        exchange.unbind("q");
        assert!(exchange.route("a.b").is_empty());
    }
}
