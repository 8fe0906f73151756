//! Deletes the queues and exchanges of a topology.

use amiquip::QueueDeleteOptions;
use zc_events_protocol::Deadline;

use super::connection::BrokerConnection;
use super::failure::NOT_FOUND;
use super::throwaway_channel::{Reply, ThrowawayChannel};
use crate::{Result, Topology};

pub(super) fn remove(connection: &BrokerConnection, topology: &Topology, deadline: Deadline) -> Result<()> {
    let mut channel = ThrowawayChannel::new(connection, deadline);
    for queue in &topology.queues {
        let doing = format!("deleting queue `{}`", queue.name);
        let delete = QueueDeleteOptions { if_unused: false, if_empty: false };
        ignore_missing(channel.call(&doing, |channel| channel.queue_delete(&queue.name, delete).map(drop))?, &doing)?;
    }
    for exchange in &topology.exchanges {
        let doing = format!("deleting exchange `{}`", exchange.name);
        ignore_missing(channel.call(&doing, |channel| channel.exchange_delete(&exchange.name, false))?, &doing)?;
    }
    Ok(())
}

/// Old brokers refuse to delete a queue or an exchange that does not exist.
fn ignore_missing(answer: Reply, doing: &str) -> Result<()> {
    match answer {
        Reply::Refused { code: NOT_FOUND, .. } => Ok(()),
        answer => answer.or_refuse(doing),
    }
}
