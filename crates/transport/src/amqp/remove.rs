//! Deletes what was declared, and is no more.

use amiquip::QueueDeleteOptions;
use zc_events_protocol::Deadline;

use super::ask::{Answer, Asker};
use super::connection::BrokerConnection;
use super::failure::NOT_FOUND;
use crate::{Result, Topology};

pub(super) fn remove(connection: &BrokerConnection, topology: &Topology, deadline: Deadline) -> Result<()> {
    let mut asker = Asker::new(connection, deadline);
    for queue in &topology.queues {
        let doing = format!("deleting queue `{}`", queue.name);
        let delete = QueueDeleteOptions { if_unused: false, if_empty: false };
        gone(asker.ask(&doing, |channel| channel.queue_delete(&queue.name, delete).map(drop))?, &doing)?;
    }
    for exchange in &topology.exchanges {
        let doing = format!("deleting exchange `{}`", exchange.name);
        gone(asker.ask(&doing, |channel| channel.exchange_delete(&exchange.name, false))?, &doing)?;
    }
    Ok(())
}

/// Old brokers refuse to delete what is not there.
fn gone(answer: Answer, doing: &str) -> Result<()> {
    match answer {
        Answer::No { code: NOT_FOUND, .. } => Ok(()),
        answer => answer.or_refuse(doing),
    }
}
