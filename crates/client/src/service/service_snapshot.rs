//! Takes the snapshots that a `ServiceMonitor` shows, from the state of the engine.

use std::sync::{Arc, Weak};

use super::engine::EngineState;
use super::monitor::{ConsumedQueueSnapshot, MonitoredService, ServiceMonitor, ServiceSnapshot};

/// A monitor of the service with this state.
pub(super) fn monitor(state: &Arc<EngineState>) -> ServiceMonitor {
    let state: Weak<EngineState> = Arc::downgrade(state);
    ServiceMonitor::new(state)
}

impl MonitoredService for EngineState {
    fn name(&self) -> &str {
        &self.service
    }

    fn handles(&self, event_type: &str) -> bool {
        !self.is_stopping() && self.routes.know(event_type)
    }

    fn event_types(&self) -> Vec<String> {
        self.routes.event_types()
    }

    fn snapshot(&self) -> ServiceSnapshot {
        let queues = self.queues.iter().map(|queue| {
            // In this order, a message that moves on meanwhile is counted twice, but not left out.
            let (taken, current) = (queue.taken(), queue.currently_taken());
            let (scheduled, next_due) = self.scheduled(queue);
            ConsumedQueueSnapshot {
                queue: queue.name.clone(),
                prefetch: queue.prefetch.into(),
                is_consuming: queue.is_consuming(),
                taken,
                current,
                scheduled,
                next_due,
            }
        });
        let (queues, parked, waiting) = (queues.collect(), self.parked(), self.waiting());
        ServiceSnapshot {
            service: self.service.clone(),
            queues,
            parked,
            waiting: waiting.count,
            is_about_to_work: waiting.is_about_to_be_taken,
            is_stopping: self.is_stopping(),
        }
    }
}
