//! Records what the clients and services of a fleet report.

use zc_events::{
    ConsumingChanged, Delivered, EmitEnded, HandlerEnded, MessageSent, Observer, Replied, RequestEnded, ServiceMonitor,
    Settled, Settlement, Wait, WaitFor,
};

use crate::current_message;
use crate::harness::{Harness, WaitReason, WaitingThread};
use crate::settled_message::SettledMessage;

impl Observer for Harness {
    fn emit_sent(&self, _: &MessageSent<'_>) {
        self.count_report();
    }

    fn emit_ended(&self, _: &EmitEnded<'_>) {
        self.count_report();
    }

    fn request_sent(&self, _: &MessageSent<'_>) {
        self.count_report();
    }

    fn request_ended(&self, _: &RequestEnded<'_>) {
        self.count_report();
    }

    fn wait_started(&self, wait: &Wait<'_>) {
        self.count_report();
        let reason = match wait.what {
            WaitFor::Reply => WaitReason::Reply,
            WaitFor::Send => WaitReason::Send,
            WaitFor::Message { queue } => WaitReason::Message(queue.to_owned()),
            WaitFor::Stop => WaitReason::Stop,
            WaitFor::Backoff => WaitReason::Backoff,
            // Unknown to this version of the kit: the clock does not move for it.
            _ => return,
        };
        let taken_before = match &reason {
            WaitReason::Message(queue) => self.broker.taken_and_untaken(queue).0,
            _ => 0,
        };
        let message = current_message::get().or(wait.message);
        self.add_waiting(wait.number, WaitingThread { reason, message, deadline: wait.deadline, taken_before });
    }

    fn wait_ended(&self, wait: &Wait<'_>) {
        self.count_report();
        self.remove_waiting(wait.number);
    }

    fn service_started(&self, service: &ServiceMonitor) {
        self.count_report();
        self.settle_stub();
        self.add_service(service);
    }

    fn service_stopping(&self, _: &str) {
        self.count_report();
        self.settle_stub();
    }

    fn consuming_changed(&self, _: &ConsumingChanged<'_>) {
        self.count_report();
    }

    fn delivered(&self, _: &Delivered<'_>) {
        self.count_report();
    }

    fn message_taken(&self) {
        self.count_report();
    }

    fn message_released(&self) {
        self.count_report();
    }

    fn work_started(&self, message: u64) {
        self.count_report();
        current_message::set(Some(message));
    }

    fn work_ended(&self, _: u64) {
        self.count_report();
        current_message::set(None);
    }

    fn handler_ended(&self, _: &HandlerEnded<'_>) {
        self.count_report();
    }

    fn replied(&self, _: &Replied<'_>) {
        self.count_report();
    }

    /// Records the settlements that a test asks about. Others, such as a message that the service ignores or that goes back
    /// to its queue, are none of its results.
    fn settled(&self, message: &Settled<'_>) {
        self.count_report();
        let is_recorded = matches!(
            message.settlement,
            Settlement::Handled
                | Settlement::Retried
                | Settlement::DeadLettered { .. }
                | Settlement::Expired
                | Settlement::Duplicate
                | Settlement::Unanswered
        );
        if is_recorded {
            self.add_settled(SettledMessage {
                service: message.service.to_owned(),
                event_type: message.event_type.to_owned(),
                id: message.id.map(str::to_owned),
                settlement: message.settlement,
            });
        }
    }
}
