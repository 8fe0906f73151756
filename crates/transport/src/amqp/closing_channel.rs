//! Channels that are no longer needed and wait to be closed. Closing a channel is a blocking call, so it is left to the
//! thread that restores the connection.

use std::sync::Arc;
use std::time::Duration;

use amiquip::Channel;
use crossbeam_channel::Receiver;

use super::connection::BrokerConnection;

/// How long closing a channel may take.
pub(super) const CLOSE_CHANNEL: Duration = Duration::from_secs(5);

/// A channel that is no longer needed. Dropping it closes it, which may block.
pub(super) struct ClosingChannel {
    channel: Option<Channel>,
    connection: Arc<BrokerConnection>,
}

impl ClosingChannel {
    pub(super) fn new(channel: Channel, connection: Arc<BrokerConnection>) -> Self {
        Self { channel: Some(channel), connection }
    }

    /// A receiver that disconnects when it may be closed, or `None` if it may be closed now. While a broker blocks the
    /// connection it reads nothing, and closing a channel without an answer would cost the connection.
    pub(super) fn unblocked(&self) -> Option<Receiver<()>> {
        self.connection.flow_control.unblocked()
    }
}

impl Drop for ClosingChannel {
    fn drop(&mut self) {
        let _guard = self.connection.patient_guard(self.connection.clock().deadline(CLOSE_CHANNEL));
        self.channel = None;
    }
}
